"""Training: from a recipe to a model folder.

In reading order:

    recipe, recipe_file, recipe_errors   a run, wholly described; its file; what is wrong with it
    default_recipe                       a recipe for whoever has only pictures
    trainer                              `train`: the whole of a run, and its loop
    setup, run_inputs                    what is read and made before the first step, and what the loop is given
    inputs                               the pairs, the first weights, the pictures that were learned from
    step, loss, optimization             one step: its gradients, its loss, the move of the weights
    ramp, engine, precision              settings that decide how a step is computed
    distributed                          the processes that train together
    snapshots                            what a run goes on from after it was cut off
    run, finish                          the run folder, its log and curves; the report and the model at its end
    metering, planning, profile          what a step computes, what a run will need, where the time goes
    recipe_reference                     writes docs/recipes.md
"""
