// What a model is written as: a Hugging Face folder or a GGUF file, and the element types of its tensors.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { type FloatDtype, isFloatDtype } from "../checkpoint/dtype.ts";
import { CompError } from "../errors.ts";
import { isStockBias } from "../model/config/biases.ts";
import { areAlike } from "../model/config/layer-sizes.ts";
import { whyHeadsStay } from "../model/families/family.ts";
import { familyOf } from "../model/families/index.ts";
import { differInGguf, whyHeadsStayInGguf } from "../model/gguf/layout.ts";
import type { Model } from "../model/model.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { attentionOf } from "../model/spec/parts.ts";
import { planSurroundings } from "../model/surroundings.ts";
import { wholeClass } from "../model/write/base-class.ts";
import { checkCompanions } from "../model/write/companions.ts";
import { checkGguf } from "../model/write/gguf-writer.ts";
import type { Mixture } from "../model/write/mixtures.ts";
import { checkOwnCode } from "../model/write/own-code.ts";
import { isStock, whyHeadsNotStock } from "../model/write/pruned-config.ts";
import { type DtypeChoice, ggufTypes } from "../model/write/tensor-types.ts";
import type { PruneOptions, SettledOptions } from "../options/prune.ts";

export type OutputFormat =
  | { readonly format: "safetensors"; readonly dtype: DtypeChoice<FloatDtype> }
  | {
      readonly format: "gguf";
      readonly dtype: DtypeChoice<Mixture>;
      /** What an error in each column weighs goes into the quantizing. */
      readonly weighted: boolean;
    };

/**
 * How an output of `format` is written: in the type or mixture that is asked for, else each tensor in its own; what is quantized
 * becomes f16.
 * @throws {CompError} "option" for a type that the format does not have.
 */
export function outputFormat(
  { dtype: asked, importance }: Pick<PruneOptions, "dtype" | "importance">,
  format: Checkpoint["format"],
): OutputFormat {
  if (format === "gguf") return { format, dtype: asked === "auto" ? "same" : asked, weighted: importance === "on" };
  const dtype = asked === "auto" || asked === "same" ? "same" : asked.toUpperCase();
  if (dtype === "same" || isFloatDtype(dtype)) return { format, dtype };
  throw new CompError("option", `--dtype ${asked} is for GGUF files, the output is a folder`, {
    hint: "name the output NAME.gguf, or choose f32, f16 or bf16",
  });
}

/**
 * The option `layers` as the output can hold it: where layers must keep a regular order, which a choice by calibration would
 * break, "auto" keeps all of them.
 * @throws {CompError} "option" when only their number is given.
 */
export function holdableLayers(
  spec: DecoderSpec,
  layers: SettledOptions["layers"],
  { format }: OutputFormat,
): SettledOptions["layers"] {
  const { family } = spec;
  const free = format === "safetensors" || familyOf({ model_type: family }).gguf?.fixedOrder(spec) !== true;
  if (free || typeof layers === "object" || layers === 0) return layers;
  if (layers === "auto") return 0;
  throw new CompError("option", `--layers ${layers} leaves the choice open; in GGUF ${family} needs a regular order`, {
    hint: "name the layers so that their order stays regular, or write a folder",
  });
}

/** The options of the widths: "auto" is the better of those that the output can hold with nothing but stock software to load it. */
export function holdableWidths(
  spec: DecoderSpec,
  { widths, allocation }: Pick<SettledOptions, "widths" | "allocation">,
  { format }: OutputFormat,
): Pick<SettledOptions, "widths" | "allocation"> {
  if (widths !== "auto") return { widths, allocation };
  return format === "gguf" && differInGguf(spec)
    ? { widths: "per-layer", allocation: "loss" }
    : { widths: "equal", allocation: "even" };
}

/** Why none of a model's attention heads can go, by what it is or by what the output can hold; undefined where they can. */
export const whyNoHeads = (spec: DecoderSpec, { format }: OutputFormat): string | undefined =>
  whyHeadsStay(spec, familyOf({ model_type: spec.family })) ??
  (format === "gguf" ? whyHeadsStayInGguf(spec) : undefined);

/** What loading a folder of a model of `spec` takes beyond a stock class, as a warning; undefined when nothing. */
export function codeNeeded(spec: DecoderSpec, { format }: OutputFormat): string | undefined {
  if (format === "gguf" || isStock(spec, spec.layers)) return undefined;
  const alike = isStockBias(spec.bias) ? whyHeadsNotStock(spec, spec.layers) : "a bias in down_proj alone";
  const why = areAlike(spec.layers) ? alike : "layers differ in size";
  return `${why}: transformers loads the folder with trust_remote_code=True only`;
}

/** What the output leaves out of the model, as a warning; undefined when it has everything. */
export function omittedBy(
  { family, layers, maxPositionEmbeddings }: DecoderSpec,
  { format }: OutputFormat,
): string | undefined {
  if (format === "safetensors" || familyOf({ model_type: family }).gguf?.windows !== false) return undefined;
  const window = Math.min(...layers.map((layer) => attentionOf(layer)?.slidingWindow ?? Number.POSITIVE_INFINITY));
  if (window >= maxPositionEmbeddings) return undefined;
  return `llama.cpp runs a ${family} without its attention window: texts beyond ${window} tokens give other results`;
}

/** @throws {CompError} "architecture" where a text part would no longer fit into the model around it */
function checkSurroundings(
  { surroundings, checkpoint }: Model,
  spec: DecoderSpec,
  format: Checkpoint["format"],
  perLayer: boolean,
): void {
  if (surroundings === undefined) return;
  planSurroundings(surroundings);
  const what = `${checkpoint.name} is a ${spec.family} with more around it`;
  if (format === "gguf")
    throw new CompError("architecture", `${what}, for which GGUF has no form as a whole`, { hint: "write a folder" });
  if (!perLayer && isStock(spec, spec.layers)) return;
  if (wholeClass(surroundings.config, familyOf({ model_type: spec.family })) !== undefined) return;
  throw new CompError("architecture", `${what}, whose class wants layers of one size`, {
    hint: "cut all layers alike: --widths equal",
  });
}

/**
 * Refuses what the output cannot hold, which would otherwise show after hours of work.
 *
 * @param spec     the model to be written, as far as it is known
 * @param perLayer its layers will differ in width
 * @throws {CompError} "architecture", or "checkpoint" for a tokenizer that GGUF has no form for and a file that cannot be read
 */
export async function checkHoldable(
  source: Model,
  spec: DecoderSpec,
  output: OutputFormat,
  perLayer: boolean,
): Promise<void> {
  checkSurroundings(source, spec, output.format, perLayer);
  if (output.format === "gguf") {
    const { fileType } = ggufTypes(source, [], output.dtype, output.weighted);
    return checkGguf(source, spec, fileType, perLayer);
  }
  checkOwnCode(source, spec, perLayer);
  await checkCompanions(source.checkpoint);
}
