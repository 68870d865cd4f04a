"""Several processes that train one model, each with a part of every batch.

- `world`: which of the processes this is, on which device, and how they share objects;
- `failure`: what each process ends with when one fails, as a table; `watchdog` notices that another has died;
- `collectives`: all-gather and reduce-scatter of rows, which the losses use;
- `gradient_sum`: the all-reduce of the towers' gradients during the backward pass;
- `sharding`: towers whose parameters are spread over the processes (FSDP2);
- `shared_encoder`: an Encoder whose work the processes divide, to measure the model.
"""
