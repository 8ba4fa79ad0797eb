// The element types of an output: how many bytes they come to, and what they cost where they do not suit the model.
import { elementsOf } from "../checkpoint/checkpoint.ts";
import { blockSize, byteLength, isFloatDtype } from "../checkpoint/dtype.ts";
import { CompError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { type LayerIndex, layerIndices } from "../model/spec/layer-index.ts";
import { sizesOf } from "../model/spec/parts.ts";
import { type ExpectedTensor, modelTensors } from "../model/spec/tensor-names.ts";
import { ggufBytes } from "../model/write/gguf-writer.ts";
import { changedRoles, type GgufTypes, ggufTypes, rewritable, tensorTypes } from "../model/write/tensor-types.ts";
import type { PruneOptions } from "../options/prune.ts";
import type { OutputFormat } from "./output-format.ts";

type GgufFormat = OutputFormat & { readonly format: "gguf" };

/** A model to be written, as far as it is known. */
export interface PrunedModel {
  readonly spec: DecoderSpec;
  /** Which layers of the source its layers are. */
  readonly keptLayers: readonly LayerIndex[];
}

export const typesInGguf = (
  source: Model,
  keptLayers: readonly LayerIndex[],
  { dtype, weighted }: GgufFormat,
): GgufTypes => ggufTypes(source, keptLayers, dtype, weighted);

/** Bytes of the weights of a model made from `source` when it is written. @throws {CompError} "architecture" as `layoutFor` */
export function weightBytes(source: Model, { spec, keptLayers }: PrunedModel, output: OutputFormat): number {
  if (output.format === "gguf") return ggufBytes(spec, typesInGguf(source, keptLayers, output));
  const types = tensorTypes(source, keptLayers, output.dtype);
  return modelTensors(spec).reduce((sum, tensor) => sum + byteLength(types.of(tensor), elementsOf(tensor.shape)), 0);
}

/** Elements of the largest blocks in which neurons are written, each an input of down_proj. */
export function neuronBlockSize(source: Model, output: OutputFormat): number {
  if (output.format === "safetensors") return 1;
  const typeOf = typesInGguf(source, layerIndices(source.spec), output).of(source.spec);
  return Math.max(1, ...downProjections(source.spec).map((tensor) => blockSize(typeOf(stored(tensor, tensor.shape)))));
}

const downProjections = (spec: DecoderSpec): ExpectedTensor[] =>
  modelTensors(spec).filter(({ role }) => role === "downProj" || role === "expertDown");

const stored = (tensor: ExpectedTensor, shape: readonly number[]) => ({ shape, pieces: [{ tensor }] });

/** What it costs that rows of down_proj do not fill the blocks of their type, as a warning; undefined where they do. */
export function openBlocks(source: Model, { spec, keptLayers }: PrunedModel, output: OutputFormat): string | undefined {
  if (output.format === "safetensors") return undefined;
  const typeOf = typesInGguf(source, keptLayers, output).of(spec);
  const replaced = downProjections(spec).flatMap((tensor) => {
    const [rows, width] = tensor.shape as [number, number];
    const whole = [rows, sizesOf(source.spec.layers[keptLayers[tensor.layer!]!]!).intermediateSize];
    const [wanted, found] = [typeOf(stored(tensor, whole)), typeOf(stored(tensor, tensor.shape))];
    const more = byteLength(found, rows * width) - (rows * width * byteLength(wanted, BLOCKS)) / BLOCKS;
    return wanted === found ? [] : [{ width, wanted, found, more }];
  });
  const [first] = replaced;
  if (first === undefined) return undefined;
  const megabytes = replaced.reduce((sum, { more }) => sum + more, 0) / 1e6;
  const instead = `${first.width} neurons do not fill the blocks of ${first.wanted}: their down_proj becomes ${first.found}`;
  return `${instead}, ${megabytes.toFixed(1)} MB more in all; --multiple-of ${blockSize(first.wanted)} avoids it`;
}

/** As many elements as every type stores in whole blocks. */
const BLOCKS = 256;

/** The types in which refitted matrices cannot be written again, as a warning; undefined where there is none. */
export function rewrittenTypes(source: Model, output: OutputFormat): string | undefined {
  const roles = output.format === "safetensors" ? undefined : changedRoles(output.dtype);
  if (roles === undefined) return undefined;
  const refitted = modelTensors(source.spec).filter(({ role }) => roles.includes(role));
  const types = new Set(refitted.map(({ name }) => source.tensors.get(name)!.dtype));
  const changed = [...types].filter((dtype) => rewritable(dtype) !== dtype);
  const list = changed.map((dtype) => `${dtype} as ${rewritable(dtype)}`).join(", ");
  return changed.length === 0 ? undefined : `refitted matrices cannot be written in their types again: ${list}`;
}

/**
 * The output of a model whose experts stay as wide as they are: those that are quantized go over as their bytes where each tensor
 * keeps its type.
 */
export function withExpertBytes(source: Model, output: OutputFormat): OutputFormat {
  if (output.format === "safetensors" || output.dtype !== "same") return output;
  const experts = modelTensors(source.spec).filter(({ role }) => role === "expertDown");
  const areQuantized = experts.some(({ name }) => !isFloatDtype(source.tensors.get(name)!.dtype));
  return areQuantized ? { ...output, dtype: "same-experts" } : output;
}

/** @throws {CompError} "option" where tensors shall keep types that the output cannot hold */
export function checkSameTypes(
  source: Model,
  { dtype: asked }: Pick<PruneOptions, "dtype">,
  output: OutputFormat,
): void {
  if (asked !== "same" || output.format === "gguf") return;
  const quantized = [...source.tensors.values()].find(({ dtype }): boolean => !isFloatDtype(dtype));
  if (quantized === undefined) return;
  throw new CompError("option", `--dtype same: a folder does not hold ${quantized.dtype}`, {
    hint: "name the output NAME.gguf, or leave --dtype out",
  });
}
