// A run as one process of a Nextflow workflow, in the form of an nf-core module. Untested: no Nextflow has run it yet.
//
//   include { VIRNUCPRO_BUS } from './modules/local/virnucpro_bus/main'
//   VIRNUCPRO_BUS(Channel.of([[id: 'run1'], files('samples/*.fa.gz'), file('runs/run1').toAbsolutePath().toString()]))
//
// What it does: one task runs all input files on all GPUs of its node. The run folder is outside of the work folder, so
// that a task that is tried again (errorStrategy 'retry'), or a workflow that is started again, continues the run.
//
// What it must not do:
// - keep the run folder in the work folder. Each attempt of a task has a new one, and would begin at the first file.
// - have a task for each file. Nextflow would then choose which file runs where, and each would load the model again.
// - run twice with one run folder. The second is refused.
//
// To adapt: the options of the run in ext.args (`process { withName: VIRNUCPRO_BUS { ext.args = '--devices cuda:0,1' } }`),
// GPUs by `accelerator` or clusterOptions. In a container the run folder has to be mounted at the same path.
process VIRNUCPRO_BUS {
    tag "${meta.id}"
    label 'process_gpu'

    input:
    tuple val(meta), path(inputs, stageAs: 'inputs/*'), val(run_dir)

    output:
    tuple val(meta), path("results/*"), emit: results
    tuple val(meta), path("run.vbus"), emit: capture
    tuple val(meta), path("${prefix}.csv"), emit: files
    path "versions.yml", emit: versions

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    virnucpro-bus run inputs --out '${run_dir}' --resume --no-dashboard ${args}
    virnucpro-bus export '${run_dir}' --output '${prefix}.csv'
    ln -s '${run_dir}/results' results
    ln -s '${run_dir}/run.vbus' run.vbus

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        virnucpro-bus: \$(virnucpro-bus --version | sed 's/.* //')
    END_VERSIONS
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir results
    touch results/stub.txt run.vbus '${prefix}.csv'

    cat <<-END_VERSIONS > versions.yml
    "${task.process}":
        virnucpro-bus: \$(virnucpro-bus --version | sed 's/.* //')
    END_VERSIONS
    """
}
