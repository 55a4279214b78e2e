"""What `--job` and `--job-option` name, checked before the run and without importing a job."""

from __future__ import annotations

from dataclasses import dataclass

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.inputs.names import Reads
from workers.jobs.interface import ESTIMATE
from workers.jobs.loader import SHELL_PREFIX, split_spec
from workers.jobs.named_job import Merge, NamedJob, Options
from workers.jobs.named_jobs import check_named_job, find_job, reads_of
from workers.jobs.shell import check_template
from workers.jobs.source.module_source import may_mention
from workers.jobs.source.stated import stated_reads


@dataclass(frozen=True)
class CheckedJob:
    """A job that can be run with these options, as far as that is known before it is loaded."""

    spec: str
    """As given: NAME, MODULE:ATTR or "shell:CMD ..."."""
    options: Options
    named: NamedJob | None
    """The description of a job that was given by name; None: it is another."""
    reads: Reads = "both"
    """What it says that it reads; "both" also where it says nothing."""

    @property
    def target(self) -> str | None:
        """MODULE:ATTR that workers load instead of a name; None: `spec` itself."""
        return None if self.named is None else self.named.target

    @property
    def merge(self) -> Merge | None:
        """What it makes of the results of all files at the end; None: nothing."""
        return None if self.named is None else self.named.merge

    @property
    def may_estimate(self) -> bool:
        """Whether it may have estimates of its own, as far as that is known before it is imported."""
        if self.named is not None:
            return self.named.estimate is not None
        return not self.spec.startswith(SHELL_PREFIX) and may_mention(split_spec(self.spec)[0], ESTIMATE)


def check_job(spec: str, options: Options) -> CheckedJob:
    """Check what can be checked without importing a job. Raises UserError."""
    for text in (spec, *options, *options.values()):
        if not _is_unicode(text):
            raise UserError(f"{visible(text)}: a job and its options must be UTF-8 text")
    named = None
    reads: Reads = "both"
    if spec.startswith(SHELL_PREFIX):
        check_template(spec.removeprefix(SHELL_PREFIX))
        if options:
            raise UserError(f"a shell: job takes no --job-option (given: {visible(min(options))})")
    elif ":" in spec:
        reads = stated_reads(*split_spec(spec))
    else:
        named = find_job(spec)
        split_spec(named.target)
        check_named_job(spec, named, options)
        reads = reads_of(spec, named, options)
    return CheckedJob(spec, options, named, reads)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
