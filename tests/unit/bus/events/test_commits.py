"""Which files are done: by name, whatever is said twice, lost or out of order."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.events.commits import Commit, CommittedFiles

words = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["cpu:0", "cpu:1"]), st.booleans()), max_size=30
)


def committed(*words: tuple[str, Commit]) -> CommittedFiles:
    files = CommittedFiles()
    for file, commit in words:
        files.add(file, commit)
    return files


def numbered(words: list[tuple[str, str, bool]]) -> list[tuple[str, Commit]]:
    """Each committed, or reopened, as the next event of the coordinator; its number is that of the sequences."""
    return [(file, Commit(1, seq, device, seq, is_done)) for seq, (file, device, is_done) in enumerate(words, 1)]


@given(words, st.randoms(use_true_random=False))
def test_in_every_order_the_last_word_about_each_file_counts(
    words: list[tuple[str, str, bool]], chance: random.Random
) -> None:
    commits = numbered(words)
    last = dict(commits)
    shuffled = chance.sample([*commits, *commits], 2 * len(commits))
    files = committed(*shuffled)
    done = [commit for commit in last.values() if commit.is_done]
    if not files.has_commits:
        assert not any(commit.is_done for _, commit in commits)
        assert files.correct(7, 70) == (7, 70)
        return
    assert files.correct(7, 70) == (len(done), sum(commit.sequences or 0 for commit in done))
    for key in ("cpu:0", "cpu:1"):
        own = [commit for commit in done if commit.device == key]
        assert files.correct(7, 70, key) == (len(own), sum(commit.sequences or 0 for commit in own))
    assert {file for file in "abcd" if files.has(file)} == {file for file in last if last[file].is_done}


def test_a_later_session_has_the_last_word() -> None:
    files = committed(("a", Commit(2, 1, "cpu:1", 5, True)), ("a", Commit(1, 9, "cpu:0", 3, True)))
    assert (files.correct(0, 0, "cpu:0"), files.correct(0, 0, "cpu:1")) == ((0, 0), (1, 5))


def test_sequences_that_an_older_version_did_not_record_are_counted_as_the_streams_do() -> None:
    files = committed(("a", Commit(1, 1, "cpu:0", None, True)), ("b", Commit(1, 2, "cpu:1", 3, True)))
    assert (files.correct(9, 70), files.correct(9, 70, "cpu:1")) == ((2, 70), (1, 3))
