// What a model is written as: a Hugging Face folder or a GGUF file, and the element type of its matrices.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { byteLength, type FloatDtype, isFloatDtype, type WritableDtype } from "../checkpoint/dtype.ts";
import { CompError } from "../errors.ts";
import { areAlike } from "../model/config/layer-sizes.ts";
import { isStockBias } from "../model/config/mlp-bias.ts";
import { familyOf } from "../model/config/parse-config.ts";
import type { Model } from "../model/model.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { checkGguf, ggufBytes } from "../model/write/gguf-writer.ts";
import { isStock } from "../model/write/pruned-config.ts";
import type { PruneOptions } from "../options/prune.ts";

export type OutputForm =
  | { readonly format: "safetensors"; readonly dtype: FloatDtype }
  | { readonly format: "gguf"; readonly dtype: WritableDtype };

/**
 * The form of an output of `format`, its type as asked, else the source's; a quantized source becomes f16.
 * @throws {CompError} "option" for a type that the format does not have.
 */
export function outputForm(
  model: Model,
  { dtype: asked }: Pick<PruneOptions, "dtype">,
  format: Checkpoint["format"],
): OutputForm {
  const dtype = asked === "auto" ? typeOf(model) : (asked.toUpperCase() as WritableDtype);
  if (format === "gguf") return { format, dtype };
  if (isFloatDtype(dtype)) return { format, dtype };
  throw new CompError("option", `--dtype ${asked} is for GGUF files, the output is a folder`, {
    hint: "name the output NAME.gguf, or choose f32, f16 or bf16",
  });
}

function typeOf({ tensors }: Model): FloatDtype {
  const types = [...tensors.values()].filter(({ shape }) => shape.length > 1).map(({ dtype }) => dtype);
  return types.every(isFloatDtype) ? types[0]! : "F16";
}

/**
 * The option `layers` as the form can carry it: where layers must keep a regular order, which a choice by calibration would
 * break, "auto" keeps all of them.
 * @throws {CompError} "option" when only their number is given.
 */
export function layersOption(
  { family }: DecoderSpec,
  { layers }: Pick<PruneOptions, "layers">,
  { format }: OutputForm,
): PruneOptions["layers"] {
  const free = format === "safetensors" || !familyOf({ model_type: family }).gguf.regularWindows;
  if (free || typeof layers === "object" || layers === 0) return layers;
  if (layers === "auto") return 0;
  throw new CompError("option", `--layers ${layers} leaves the choice open; in GGUF ${family} needs a regular order`, {
    hint: "name the layers so that the full ones return regularly, or write a folder",
  });
}

/** The options of the widths: "auto" is the better of those that the form can carry with nothing but stock software to load it. */
export function widthsOption(
  { family }: DecoderSpec,
  { widths, allocation }: Pick<PruneOptions, "widths" | "allocation">,
  { format }: OutputForm,
): Pick<PruneOptions, "widths" | "allocation"> {
  if (widths !== "auto") return { widths, allocation };
  const isCarried = format === "gguf" && familyOf({ model_type: family }).gguf.asDeci;
  return isCarried ? { widths: "per-layer", allocation: "loss" } : { widths: "equal", allocation: "even" };
}

/** What loading a folder of a model of `spec` takes beyond a stock class, as a warning; undefined when nothing. */
export function codeNeeded(spec: DecoderSpec, { format }: OutputForm): string | undefined {
  if (format === "gguf" || isStock(spec, spec.layers)) return undefined;
  const heads = `${spec.layers[0]!.numAttentionHeads} heads do not divide the hidden size ${spec.hiddenSize}`;
  const alike = isStockBias(spec.bias) ? heads : "a bias in down_proj alone";
  const why = areAlike(spec.layers) ? alike : "layers differ in size";
  return `${why}: transformers loads the folder with trust_remote_code=True only`;
}

/** What the form leaves out of the model, as a warning; undefined when it has everything. */
export function omissionOf(
  { family, layers, maxPositionEmbeddings }: DecoderSpec,
  { format }: OutputForm,
): string | undefined {
  if (format === "safetensors" || familyOf({ model_type: family }).gguf.regularWindows) return undefined;
  const window = Math.min(...layers.map(({ slidingWindow }) => slidingWindow ?? Number.POSITIVE_INFINITY));
  if (window >= maxPositionEmbeddings) return undefined;
  return `llama.cpp runs a ${family} without its attention window: texts beyond ${window} tokens give other results`;
}

/** Bytes of the weights of a model of `spec` when it is written. @throws {CompError} "architecture" as `layoutFor` */
export const weightBytes = (spec: DecoderSpec, { format, dtype }: OutputForm): number =>
  format === "gguf" ? ggufBytes(spec, dtype) : byteLength(dtype, 1) * countParameters(spec).total;

/**
 * Refuses what the form cannot hold, which would otherwise show after hours of work.
 *
 * @param spec     the model to be written, as far as it is known
 * @param perLayer its layers will differ in width
 * @throws {CompError} "architecture", or "checkpoint" for a tokenizer that GGUF has no form for
 */
export async function checkForm(
  source: Model,
  spec: DecoderSpec,
  { format, dtype }: OutputForm,
  perLayer: boolean,
): Promise<void> {
  if (format === "gguf") await checkGguf(source, spec, dtype, perLayer);
}
