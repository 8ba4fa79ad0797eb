// A sublayer with another projection at its end, where what enters the projection is known: nothing ahead of it is computed
// again.
import { Graph } from "../../compute/graph.ts";
import { transpose } from "../../compute/operations/shape.ts";
import { type Tensor, tensor } from "../../compute/tensor.ts";
import { scatterColumns } from "../../linalg/gather.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { Sublayer } from "../../model/spec/roles.ts";
import { PROJECTION_ROLES, projected } from "../graphs/decoder-layer.ts";
import { declareWeights } from "../graphs/layer-values.ts";
import type { HiddenStates } from "./hidden-states.ts";
import type { LayerPrograms } from "./programs.ts";

export interface ProjectionInputs {
  /** z of each batch before anything was cut, f32 [size, tokens]. */
  readonly batches: readonly Tensor[];
  /** Those of its elements that the new projection still reads, ascending [k]. */
  readonly kept: Int32Array;
}

/**
 * States that stand before a sublayer become those behind it, in place.
 *
 * @param layer with the new projection, f32 [hiddenSize, k]
 */
export async function project(
  { spec, programs }: LayerPrograms,
  name: Sublayer,
  { weights }: DecoderLayer,
  { batches, kept }: ProjectionInputs,
  states: HiddenStates,
): Promise<void> {
  const size = batches[0]!.shape[0]!;
  const used = projectionWeights(name, weights, kept, size);
  for (const [i, z] of batches.entries())
    await states.update(i, async ({ hidden }) => {
      const tokens = hidden.shape[0]!;
      const program = await programs.get([`${name} projection`, tokens, size, ...Object.keys(used)], () =>
        projectionGraph(name, spec, tokens, size, used),
      );
      await program.run({ x: hidden, z, ...used }, { hidden });
    });
}

/** The projection as wide as before, zero where an element is not read, so that z serves as it is. */
function projectionWeights(name: Sublayer, weights: LayerWeights, kept: Int32Array, size: number): LayerWeights {
  const { weight, bias, outputNorm } = PROJECTION_ROLES[name];
  const rows = weights[weight]!.shape[0]!;
  const wide = tensor(scatterColumns(weights[weight]!.data, kept, size), [rows, size]);
  const others = [bias, outputNorm].filter((role) => weights[role] !== undefined);
  return { [weight]: wide, ...Object.fromEntries(others.map((role) => [role, weights[role]!])) };
}

/** x [tokens, hiddenSize] enters the sublayer; `hidden` is the residual stream after it, which may overwrite x. */
function projectionGraph(
  name: Sublayer,
  spec: DecoderSpec,
  tokens: number,
  size: number,
  weights: LayerWeights,
): Graph {
  const graph = new Graph();
  const x = graph.input("x", [tokens, spec.hiddenSize]);
  const z = transpose(graph.input("z", [size, tokens]), [1, 0]); // which the product then takes upon itself
  graph.output("hidden", projected(name, spec, x, z, declareWeights(graph, weights)).hidden);
  return graph;
}
