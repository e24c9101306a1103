# Artifacts: a rule for each kind that dagnas.pipeline.kinds declares, such as traces of searches.


def job_of(kind):
    def find(wildcards):
        try:
            return SCALE.jobs(kind.name)[wildcards.name]
        except KeyError:
            raise WorkflowError(
                f"the scale {SCALE.scale} has no {kind.name} {wildcards.name}"
            )

    return find


def job_inputs(kind):
    def inputs(wildcards):
        job = job_of(kind)(wildcards)
        return [*table_files(job.benchmarks()), *job.files()]

    return inputs


def job_command(kind):
    def command(wildcards):
        job = job_of(kind)(wildcards)
        return shlex.join(["dagnas", job.COMMAND, *job.arguments()])

    return command


def job_code(kind):
    return lambda wildcards: digest(job_of(kind)(wildcards).roots())


def job_names(kind):
    if kind.pattern.startswith("{data}/{name}"):
        # They stand beside tables from published sources, which have a rule of their own.
        return "|".join(SCALE.jobs(kind.name))
    # All names together would be a pattern that is slow to match.
    return "[A-Za-z0-9_/-]+"


for kind in all_kinds():
    if SCALE.jobs(kind.name):

        rule:
            name:
                kind.name
            input:
                job_inputs(kind),
            output:
                artifact=pattern(kind),
                beside=[pattern(kind, suffix) for suffix in kind.beside],
            log:
                f"logs/{SCALE.scale}/{kind.name}/{{name}}.log",
            wildcard_constraints:
                name=job_names(kind),
            conda:
                "../envs/dagnas.yml"
            resources:
                gpu=GPUS,
            params:
                # A function, since Snakemake's lint takes the folder's name for a forgotten input.
                data=lambda wildcards: str(SCALE.data),
                command=job_command(kind),
                code=job_code(kind),
            shell:
                "{params.command} --data {params.data} --out {output.artifact} > {log} 2>&1"


# All artifacts of a kind, by the folder that they are in, unless a kind is called so.
for kind in all_kinds():
    folder = Path(kind.pattern).parts[1]
    named = {other.name for other in all_kinds()}
    if (
        kind.pattern.startswith("{results}")
        and SCALE.jobs(kind.name)
        and folder not in named
    ):

        rule:
            name:
                folder
            input:
                SCALE.paths(kind.name),
