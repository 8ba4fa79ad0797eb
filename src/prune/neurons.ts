// Neurons of an MLP: which of them stay, and the smaller matrices.
import { tensor } from "../compute/tensor.ts";
import { allIndices, complement } from "../linalg/gather.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import { NEURON_ROWS, takeRows } from "../model/take-rows.ts";
import type { Recovered } from "../recover/recovery.ts";
import type { SublayerCut } from "./sublayer.ts";

/** Each neuron is an input of down_proj. */
export const neuronCut: SublayerCut = {
  sublayer: "mlp",
  tellsError: true,
  ownSizes: ({ intermediateSize }) => ({ intermediateSize }),
  width: ({ intermediateSize }) => intermediateSize,
  all: (_, inputSize) => ({ inputs: allIndices(inputSize), costs: NO_COSTS }),
  async choose({ criterion, projection, statistics, context, order }, { intermediateSize: before }, sizes) {
    const removed = before - sizes.intermediateSize;
    const ranked = order ? { order, costs: NO_COSTS } : await criterion.rank(projection, statistics, removed, context);
    return { inputs: complement(ranked.order.slice(0, removed).toSorted(), before), costs: ranked.costs };
  },
  take: (weights, { inputs }, recovered) => takeNeurons(weights, inputs, recovered),
};

const NO_COSTS = new Float64Array(0);

/**
 * The weights of the neurons that stay.
 *
 * @param kept      ascending indices [k]
 * @param recovered down_proj of the kept neurons, f32 [hiddenSize, k], and what is added to its bias
 */
export function takeNeurons(weights: LayerWeights, kept: Int32Array, { weight, bias }: Recovered): LayerWeights {
  const hiddenSize = weights.downProj!.shape[0]!;
  return {
    ...weights,
    ...takeRows(weights, NEURON_ROWS, kept),
    downProj: tensor(weight, [hiddenSize, kept.length]),
    ...(bias && { downBias: tensor(added(bias, weights.downBias?.data), [hiddenSize]) }),
  };
}

const added = (bias: Float32Array, before: Float32Array | undefined): Float32Array =>
  before ? bias.map((value, i) => value + before[i]!) : bias;
