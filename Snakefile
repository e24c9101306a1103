# What depends on what. Every job is a `dagnas` command that can be run by hand;
# docs/pipeline.md tells what makes a result stale.
#
#   snakemake -c2 goal_fig4                       one result, at the scale of the desk
#   snakemake -c2 --config scale=smoke            everything, in minutes
#   snakemake -c2 goal --configfile mine.yaml     a paper, at a scale of your own
#   snakemake -n                                  what would run, and why

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"


report: "workflow/report/overview.rst"


wildcard_constraints:
    scale=SCALE.scale,
    paper="|".join(SCALE.papers),
    table=r"\w+",
    result=r"\w+",


shell.prefix(PREFIX)


rule all:
    default_target: True
    input:
        result_files(),
        artifact_files(),
        ledger_files(),


include: "workflow/rules/tables.smk"
include: "workflow/rules/artifacts.smk"
include: "workflow/rules/results.smk"


provenance.restore(SCALE.results / "provenance.json")


onstart:
    if workflow.local_exec:
        # A limit of jobs a second, which Snakemake has by default, starts a timer whenever jobs are
        # selected; a second later it has them selected again, and starts another. After hundreds of
        # jobs that takes a core.
        workflow.scheduler.job_rate_limiter = None
    # Jobs on this machine's CPUs share the time that libraries take to load.
    if workflow.local_exec and not GPUS:
        save()
        forks.start(DIGESTS)
