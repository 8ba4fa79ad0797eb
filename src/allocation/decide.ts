// What goes and what stays, from what calibration has found about the dense model. Pure: the same findings give the same decision
// at every sparsity that is asked for.
import type { Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import type { LayerCosts } from "./curves.ts";
import { anyLayers, planLayers } from "./layer-count.ts";
import { equalOverOwn } from "./predicted.ts";
import { equalSpec, perLayerSpec } from "./sizes.ts";
import { keepRanked } from "./whole-layers.ts";

/** What is found out about the dense model to decide by; it holds for every sparsity. Each list has an entry for each layer. */
export interface Findings {
  /** How much each layer matters, where calibration decides which layers go: Block Influence, or the divergence without it. */
  readonly influences?: readonly number[] | undefined;
  /** What the parts of each layer cost, where the layers are compared. */
  readonly costs?: readonly LayerCosts[] | undefined;
  /** Neurons of each layer in the order of their removal, where all of them are ranked at once. */
  readonly orders?: readonly Int32Array[] | undefined;
}

export interface Decision {
  /** Ascending. */
  readonly keptLayers: readonly LayerIndex[];
  /** The pruned model. */
  readonly spec: DecoderSpec;
  readonly orders?: Findings["orders"];
  /** How many times the KL divergence equal widths of the same size would have, as costs by loss predict. */
  readonly equalCostRatio?: number | undefined;
}

/** Settles what each layer keeps at a sparsity. @throws {CompError} as `planPrune` */
export function decide(spec: DecoderSpec, findings: Findings, method: Method, sparsity: number): Decision {
  const { influences, costs, orders } = findings;
  const cut = planLayers(spec, method, sparsity);
  const keptLayers = cut.removed === undefined ? keepInfluential(spec, influences!, cut.count) : anyLayers(spec, cut);
  if (method.allocation.kind === "even")
    return { keptLayers, spec: equalSpec(spec, keptLayers, method, sparsity), orders };
  const chosen = { keptLayers, spec: perLayerSpec(spec, keptLayers, costs!, method, sparsity) };
  if (method.allocation.kind === "global") return { ...chosen, orders };
  return { ...chosen, orders, equalCostRatio: equalOverOwn(spec, chosen, costs!, method, sparsity) };
}

/** The layers that stay when the `count` of lowest influence go, as far as they may, ascending; of equals the later goes. */
export const keepInfluential = (spec: DecoderSpec, influences: readonly number[], count: number): LayerIndex[] =>
  keepRanked(
    spec,
    layerIndices(spec).toSorted((a, b) => influences[a]! - influences[b]! || b - a),
    count,
  );
