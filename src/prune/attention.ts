// The fine stage on one attention: statistics → kept heads → smaller matrices, with o_proj recovered.

import { CompError } from "../errors.ts";
import type { LayerResult } from "../events/prune.ts";
import type { StreamedLayer } from "../forward/run/layer-stream.ts";
import type { ProjectionInputs } from "../forward/run/project.ts";
import type { Criterion, CriterionContext, NeuronStatistics } from "../importance/criterion.ts";
import { type HeadCut, type HeadRemoval, removeHeads } from "../importance/heads.ts";
import { nthRandom } from "../linalg/random.ts";
import type { LayerSizes } from "../model/config/layer-sizes.ts";
import type { LayerWeights } from "../model/read-layer.ts";
import type { DecoderSpec, LayerSpec } from "../model/spec/decoder-spec.ts";
import { recoveries } from "../recover/index.ts";
import type { RecoveryInput } from "../recover/recovery.ts";
import { headElements, pruneHeads } from "./heads.ts";
import { projectionStatistics } from "./projection-statistics.ts";
import type { LayerJob } from "./sublayer.ts";

/** A layer with as many heads as it shall have, its MLP as it was. */
export interface PrunedAttention extends StreamedLayer {
  readonly record: Pick<LayerResult, "heads" | "keyValueHeads" | "keptHeads" | "totalHeads">;
  /** What entered o_proj; undefined where it was not asked for, or is too much to be kept. */
  readonly inputs: ProjectionInputs | undefined;
}

/** Ridge of a refit of o_proj that loses no heads: what is not worth much there is better left to down_proj. */
const UNCUT_RIDGE = 1e-2;

/**
 * Cuts the heads of a layer to `sizes`; none at all when these say so. `states` enter the layer. With a target o_proj is
 * refitted even where no head goes.
 */
export async function pruneAttention(
  streamed: StreamedLayer,
  sizes: LayerSizes,
  job: Omit<LayerJob, "width" | "order">,
): Promise<PrunedAttention> {
  const { index, layer, weights } = streamed;
  const { runner, gemm, options, criterion, target, sensed, collectGarbage } = job;
  const { numAttentionHeads, numKeyValueHeads } = sizes;
  const smaller = { ...layer, numAttentionHeads, numKeyValueHeads };
  const isCut = numAttentionHeads !== layer.numAttentionHeads;
  if (numAttentionHeads === 0 || (!isCut && target === undefined))
    return { index, layer: smaller, weights, record: recordOf(layer, allHeads(smaller)), inputs: undefined };
  const { moments, drift, heldOut, inputs } = await projectionStatistics(runner, "attention", layer, weights, job);
  const { lossCovariance, ...others } = sensed;
  const felt = { ...others, ...(criterion.needsLossCovariance && lossCovariance && { lossCovariance }) };
  const context = { gemm, random: nthRandom(options.seed, index).nextFloat };
  const cut = cutBetween(layer, sizes);
  const kept = isCut
    ? await rankHeads(criterion, runner.spec, streamed, { ...moments, ...felt }, cut, context)
    : allHeads(layer);
  collectGarbage();
  const input = oProjInput(runner.spec, weights, moments, kept.heads, isCut ? options.ridge : UNCUT_RIDGE);
  const wanted = target ? { drift, lossCovariance, heldOut } : {};
  const { downProj } = await recoveries[options.recovery].recover({ ...input, ...wanted }, { gemm });
  collectGarbage();
  const pruned = pruneHeads(weights, kept, runner.spec.headDim, downProj);
  const entered = inputs && { batches: inputs, kept: input.kept };
  return { index, layer: smaller, weights: pruned, record: recordOf(layer, kept), inputs: entered };
}

/** What goes from a layer that shall have `sizes`. */
function cutBetween(layer: LayerSpec, { numAttentionHeads, numKeyValueHeads }: LayerSizes): HeadCut {
  const heads = layer.numAttentionHeads / layer.numKeyValueHeads - numAttentionHeads / numKeyValueHeads;
  return { kvGroups: layer.numKeyValueHeads - numKeyValueHeads, heads };
}

/** The heads that stay when `cut` goes from a layer. @throws {CompError} as `headCostsOf` */
export async function rankHeads(
  criterion: Criterion,
  { hiddenSize, headDim }: DecoderSpec,
  { layer, weights }: Pick<StreamedLayer, "layer" | "weights">,
  statistics: NeuronStatistics,
  cut: HeadCut,
  context: CriterionContext,
): Promise<HeadRemoval> {
  const { numAttentionHeads, numKeyValueHeads } = layer;
  const output = { downProj: weights.oProj!.data, hiddenSize, intermediateSize: numAttentionHeads * headDim };
  const costs = await headCostsOf(criterion)(output, statistics, headDim, context);
  return removeHeads(costs, { numAttentionHeads, numKeyValueHeads, headDim }, cut);
}

/** @throws {CompError} "option" when the criterion knows neurons only */
export function headCostsOf({ name, blockCosts }: Criterion): NonNullable<Criterion["blockCosts"]> {
  if (blockCosts !== undefined) return blockCosts;
  throw new CompError("option", `--criterion ${name} ranks neurons and no heads`, {
    hint: "cut neurons only: --prune mlp",
  });
}

/** What a recovery takes to refit o_proj of the kept heads. */
export function oProjInput(
  { hiddenSize, headDim }: DecoderSpec,
  weights: LayerWeights,
  statistics: NeuronStatistics,
  heads: Int32Array,
  ridge: number,
): RecoveryInput {
  return { ...statistics, downProj: weights.oProj!.data, hiddenSize, kept: headElements(heads, headDim), ridge };
}

const allHeads = ({
  numAttentionHeads,
  numKeyValueHeads,
}: LayerSpec): Pick<HeadRemoval, "heads" | "keyValueHeads"> => ({
  heads: Int32Array.from({ length: numAttentionHeads }, (_, head) => head),
  keyValueHeads: Int32Array.from({ length: numKeyValueHeads }, (_, head) => head),
});

const recordOf = (
  { numAttentionHeads }: LayerSpec,
  { heads, keyValueHeads }: Pick<HeadRemoval, "heads" | "keyValueHeads">,
): PrunedAttention["record"] => ({
  heads: [...heads],
  keyValueHeads: [...keyValueHeads],
  keptHeads: heads.length,
  totalHeads: numAttentionHeads,
});
