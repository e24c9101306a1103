# Graph VAEs. What an interrupted training had done stays beside the output, and is gone on with.


rule autoencoder:
    input:
        lambda wildcards: table_files(
            [SCALE.autoencoders[wildcards.autoencoder].benchmark]
        ),
    output:
        "results/{scale}/autoencoders/{autoencoder}.pt",
    log:
        "logs/{scale}/autoencoders/{autoencoder}.log",
    conda:
        "../envs/dagnas.yml"
    resources:
        gpu=GPUS,
    params:
        data=str(SCALE.data),
        config=scale_file,
        settings=lambda wildcards: SCALE.part(autoencoders=[wildcards.autoencoder]),
        code=lambda wildcards: digest(SCALE.autoencoder_modules(wildcards.autoencoder)),
    shell:
        "dagnas autoencode --config {params.config} --autoencoder {wildcards.autoencoder}"
        " --data {params.data} --out {output} > {log} 2>&1"
