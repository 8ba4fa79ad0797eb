// Sweeps over a tiny model, and the model that one has written.
import { Judge } from "../../src/evaluate/judge.ts";
import type { Quality } from "../../src/events/common.ts";
import type { Method } from "../../src/method/method.ts";
import type { Model } from "../../src/model/model.ts";
import type { LayerWeights } from "../../src/model/read-layer.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import { layerPositions } from "../../src/model/spec/layer-index.ts";
import { layerTensors } from "../../src/model/spec/tensor-names.ts";
import type { LayerSink, PrunedLayers, Sweep } from "../../src/prune/sweep.ts";
import type { RunContext } from "../../src/run-context.ts";
import { someWindows, type TinyModel, tinyWindows } from "./run.ts";

/** Eight windows to calibrate on, two others to judge by, and nothing known from backward sweeps. */
export const sweepOf = ({ model, runner }: TinyModel, method: Method, over: Partial<Sweep> = {}): Sweep => ({
  model,
  runner,
  method,
  windows: someWindows(8, 24),
  judge: new Judge(tinyWindows("llama")),
  sensitivities: new Map(),
  ...over,
});

/** Of what a sweep has made, as its judge has it. */
export async function qualityOf(run: RunContext, sweep: Sweep, { heldOut }: PrunedLayers): Promise<Quality> {
  const { judge, runner, model } = sweep;
  await judge.meetDense(run, runner, model);
  return judge.qualityOf(runner, model, heldOut);
}

/** A place for a sweep's layers, from which the pruned model is read. */
export class WrittenLayers {
  readonly layers: LayerWeights[] = [];

  readonly write: LayerSink = async (position, weights) => {
    this.layers[position] = weights;
  };

  /** The pruned model, whose embeddings, last norm and head are those of the source. */
  model(source: Model, spec: DecoderSpec): Model {
    const written = new Map(
      layerPositions(spec).flatMap((position) =>
        layerTensors(spec, position).map(({ name, role }) => [name, this.layers[position]![role]!.data] as const),
      ),
    );
    return { ...source, spec, read: async (name) => written.get(name) ?? source.read(name) };
  }
}
