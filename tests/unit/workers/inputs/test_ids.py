"""What inputs are called, and that no two can write to one place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.plans import files_at, ids_at
from workers.commit.result_store import result_folder
from workers.inputs.ids import covers, need_own_folder
from workers.inputs.names import stem_of


def ids_of(*paths: str) -> list[str]:
    return ids_at([Path(path) for path in paths])


def test_the_id_is_the_base_name_where_that_is_unique() -> None:
    assert ids_of("/x/a.fa", "/y/b.fa") == ["a.fa", "b.fa"]


def test_the_id_is_the_shortest_end_of_the_path_that_is_unique() -> None:
    found = ids_of("/x/k/a.fa", "/y/k/a.fa", "/y/m/a.fa", "/a.fa", "/b.fa")
    assert found == ["x+k+a.fa", "y+k+a.fa", "m+a.fa", "+a.fa", "b.fa"]


def test_an_id_that_another_file_is_really_called_is_not_used_twice() -> None:
    assert ids_of("/k/a.fa", "/m/a.fa", "/z/k+a.fa") == ["+k+a.fa", "m+a.fa", "k+a.fa"]


def test_paths_that_end_alike_in_every_part_are_numbered() -> None:
    assert ids_of("/a+b/c", "/a/b/c", "/a/b+c", "/b+c") == ["c~2", "b+c", "b+c~2", "+b+c"]


def test_names_that_look_the_same_once_made_visible_get_different_ids() -> None:
    assert ids_of("/x/a\x01.fa", "/x/a\\x01.fa") == ["a\\x01.fa", "x+a\\x01.fa"]


def test_bytes_that_are_not_text_are_written_out() -> None:
    assert ids_of(os.fsdecode(b"/x/caf\xe9\xe2\x80\xae.fa")) == ["caf\\xe9\\u202e.fa"]


def test_long_names_are_cut_and_numbered() -> None:
    first, second = ids_of("/x/" + "n" * 250 + "1.fa", "/x/" + "n" * 250 + "2.fa")
    assert first == "n" * 190 + "~2"
    assert second == "n" * 190 + "~3"


def test_many_long_names_do_not_take_ever_longer() -> None:
    found = ids_at([Path("/x", "n" * 240 + str(number)) for number in range(20_000)])
    assert len(set(found)) == 20_000


def test_ids_that_are_reserved_or_may_be_results_of_others_are_not_used() -> None:
    paths = [Path("/x/a.fa"), Path("/x/b.fasta"), Path("/x/c.fa")]
    assert ids_at(paths, reserved={"a.fa"}, stems={"b"}) == ["x+a.fa", "x+b.fasta", "c.fa"]


def test_a_long_name_gets_an_id_that_is_no_result_of_another() -> None:
    (found,) = ids_at([Path("/x", f"b.{'n' * 250}")], stems={"b", "+b"})
    assert found.startswith("++b.nnn")


def test_ids_do_not_depend_on_the_locale() -> None:
    code = "from workers.inputs.ids import make_ids; import os;"
    code += r"print(ascii(make_ids([os.fsdecode(b'caf\xc3\xa9.fa')], ['/x'])))"
    for locale in ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONUTF8": "1"}):
        ran = subprocess.run([sys.executable, "-c", code], env=locale, capture_output=True, text=True, check=True)
        assert ran.stdout == r"['caf\xe9.fa']" "\n"


# Parts chosen so that they meet: dots, plus signs, equal ends, names that look like ids, stems or results.
part_names = [
    "a",
    "b",
    "a.b",
    "a.",
    ".a",
    "a~2",
    "b+a",
    "a.fa",
    "a.fa.gz",
    "a.fa.fa",
    "a.fasta",
    "+a.fa",
    "b+a.fa",
]
part_names += ["a+b+a.fa", "a\x01.fa", "a\\x01.fa", "b+a\\x01.fa", "\udce9.fa"]
part_names += ["n" * 220 + ".fa", "n" * 220 + ".fq", "n" * 190, "n" * 190 + "~2"]
parts = st.sampled_from(part_names)
some_paths = st.lists(
    st.lists(parts, min_size=1, max_size=4).map(lambda names: Path("/", *names)),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(some_paths)
def test_ids_are_unique_printable_and_short_enough_for_a_folder(paths: list[Path]) -> None:
    ids = ids_at(paths)
    assert len(set(ids)) == len(paths)
    for name in ids:
        assert name.isprintable()
        assert 0 < len(name.encode()) <= 200
        assert "/" not in name


@given(some_paths, st.data())
@example([Path("/a/x.fa"), Path("/b/x.fa"), Path("/c/a+x.fasta")], None)
@example([Path("/reads.fa"), Path("/reads.fa.fa")], None)
def test_no_two_inputs_can_claim_one_result_path(paths: list[Path], data: st.DataObject | None) -> None:
    """Whatever files the jobs leave: those named after their input, or like any other input, folder or result."""
    inputs = files_at(paths)
    tempting = {file.path.name for file in inputs} | {file.id for file in inputs} | {file.stem for file in inputs}
    tempting |= {f"{name}.faa" for name in tempting} | {f"{name}/inner" for name in tempting}
    owner_of: dict[str, str] = {}
    for file in inputs:
        own = sorted(name for name in tempting if name == file.stem or name.startswith(f"{file.stem}."))
        results = own
        if data is not None and data.draw(st.booleans()):
            results = data.draw(st.lists(st.sampled_from(sorted(tempting)), max_size=4))
        folder = result_folder(file, results)
        for name in results:
            path = Path(folder, name)
            # Neither the file itself nor a folder it stands in may be another's.
            for claimed in (path, *path.parents[:-1]):
                assert owner_of.setdefault(str(claimed), file.id) == file.id


@given(some_paths, st.lists(st.sampled_from(part_names), max_size=2))
@example([Path("/a.fa"), Path("/a.b.fa")], [])
@example([Path("/a.b.gz"), Path("/a.b.fa")], [])
@example([Path("/a.fa"), Path("/b.fa")], ["a"])
def test_an_input_has_a_folder_of_its_own_where_names_can_be_mixed_up_and_only_there(
    paths: list[Path], reserved: list[str]
) -> None:
    ids, stems = ids_at(paths, frozenset(reserved)), [stem_of(path) for path in paths]

    def can_be_mixed_up(at: int) -> bool:
        others = [name for other in range(len(paths)) if other != at for name in (stems[other], ids[other])]
        return any(covers(stems[at], name) for name in (*others, *reserved)) or any(
            covers(stem, stems[at]) for stem in stems if stem != stems[at]
        )

    assert list(need_own_folder(stems, ids, reserved)) == [can_be_mixed_up(at) for at in range(len(paths))]


def test_results_named_after_an_input_of_unique_name_need_no_folder() -> None:
    (file,) = files_at([Path("/x/reads.fa")])
    assert not file.own_folder
    assert result_folder(file, ["reads", "reads.protein.faa"]) == ""


def test_other_results_go_to_a_folder_named_by_the_inputs_id() -> None:
    (file,) = files_at([Path("/x/reads.fa")])
    assert result_folder(file, ["reads.protein.faa", "log.txt"]) == "reads.fa"
    assert result_folder(file, ["readsome.txt"]) == "reads.fa"


def test_inputs_with_stems_that_could_be_mixed_up_have_folders_of_their_own() -> None:
    mixed, other, alone = files_at([Path("/reads.fa"), Path("/reads.v2.fa"), Path("/reads-3.fa")])
    assert (mixed.own_folder, other.own_folder, alone.own_folder) == (True, True, False)
    assert result_folder(mixed, ["reads.protein.faa"]) == "reads.fa"


def test_inputs_of_one_name_have_folders_named_by_their_ids() -> None:
    first, second = files_at([Path("/x/reads.fa"), Path("/y/reads.fa")])
    assert result_folder(first, ["reads.protein.faa"]) == "x+reads.fa"
    assert result_folder(second, ["reads.protein.faa"]) == "y+reads.fa"
