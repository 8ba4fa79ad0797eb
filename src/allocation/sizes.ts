// The sizes of the pruned model once it is known which layers stay: equal widths, or each layer's own by cost.
import type { Method } from "../method/method.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type LayerIndex, type LayerPosition, layerIndices } from "../model/spec/layer-index.ts";
import { type LayerSizes, resized, sizesOf } from "../model/spec/parts.ts";
import { sizesByCost } from "./by-cost.ts";
import { type LayerCosts, stepsOf } from "./curves.ts";
import {
  equalWidths,
  isProtected,
  parametersOf,
  ROUNDING,
  reachedSparsity,
  stepOf,
  type Target,
  uniformWidth,
  withWidth,
} from "./equal-widths.ts";
import { withoutExperts } from "./experts.ts";
import { withoutHeads } from "./heads.ts";

export const targetOf = ({ sparsityOf, multipleOf, blockSize, protectedLayers }: Method, sparsity: number): Target => ({
  sparsity,
  of: sparsityOf,
  multipleOf,
  blockSize,
  protectedLayers,
});

/**
 * The pruned model with the same width and the same number of heads in all kept layers, as far as they have them.
 *
 * @param shown the layers to describe, where others than the kept ones
 */
export function equalSpec(
  spec: DecoderSpec,
  keptLayers: readonly LayerIndex[],
  method: Method,
  sparsity: number,
  shown: readonly LayerIndex[] = keptLayers,
): DecoderSpec {
  const cut = uncutNeurons(spec, method, sparsity);
  const width = uniformWidth(cut, keptLayers, { ...targetOf(method, sparsity), source: spec });
  return withWidth(cut, shown, equalWidths(cut, shown, width, method.protectedLayers));
}

/**
 * The pruned model with each kept layer at its own sizes: as many parameters go as are asked for, where they cost least. Where
 * the costs end before that, what is still wider than the others goes too.
 *
 * @param costs of each layer of the source
 * @throws {CompError} "budget" as `uniformWidth`
 */
export function perLayerSpec(
  spec: DecoderSpec,
  keptLayers: readonly LayerIndex[],
  costs: readonly LayerCosts[],
  method: Method,
  sparsity: number,
): DecoderSpec {
  const target = targetOf(method, sparsity);
  const { of, protectedLayers } = target;
  const cut = uncutNeurons(spec, method, sparsity);
  const layers = keptLayers.map((index) => cut.layers[index]!);
  const curves = keptLayers.flatMap((index, i) => {
    const position = i as LayerPosition;
    if (isProtected(position, layers.length, protectedLayers)) return [];
    const neurons = stepOf(sizesOf(cut.layers[index]!).intermediateSize, target);
    return stepsOf(cut, index, costs[index]!, { neurons, of }).map((steps) => ({ position, steps }));
  });
  const missing = sparsity - ROUNDING - reachedSparsity(spec, { ...cut, layers }, of);
  const own = sizesByCost(curves, layers.map(sizesOf), Math.ceil(missing * parametersOf(spec, of)));
  const chosen = { ...cut, layers: layers.map((layer, position) => resized(layer, own[position]!)) };
  const all = layerIndices(chosen);
  const most = uniformWidth(chosen, all, { ...target, source: spec });
  return withWidth(chosen, all, equalWidths(chosen, all, most, protectedLayers));
}

/** The pruned model but for its neurons: without the heads and experts that go alike everywhere, with a bias where the recovery adds one. */
export function uncutNeurons(spec: DecoderSpec, method: Method, sparsity: number): DecoderSpec {
  const cut = withoutExperts(withoutHeads(spec, method, sparsity), method, sparsity);
  return sparsity === 0 ? cut : { ...cut, bias: method.biases };
}

export const meanWidth = (spec: DecoderSpec): number => Math.round(meanSize(spec, "intermediateSize"));

export const meanSize = ({ layers }: DecoderSpec, size: keyof LayerSizes): number =>
  layers.reduce((sum, layer) => sum + sizesOf(layer)[size], 0) / layers.length;
