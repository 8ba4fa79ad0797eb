// Joins weights in few bits with the tensors of their scales, which are no tensors of the model then.
import { CompError } from "../errors.ts";
import { elementsOf } from "./checkpoint.ts";
import { isFloatDtype } from "./dtype.ts";
import type { ScaledForm } from "./folder-quantization.ts";
import { unsupportedType } from "./safetensors-header.ts";
import type { ScaleBlock } from "./scales.ts";
import type { ParsedFile, StoredTensor } from "./stored-tensors.ts";

/** Scales of what flows between weights, which has all its bits here. */
const OF_ACTIVATIONS = /\.(activation_scale|input_scale|k_scale|v_scale)$/;

/**
 * The files with every tensor as the model knows it.
 *
 * @param form that of the folder's quantized weights, if it has any
 * @throws {CompError} "checkpoint" for scales that are missing or do not fit, and for types that nothing tells how to read
 */
export function joinScales(files: readonly ParsedFile[], form: ScaledForm | undefined): ParsedFile[] {
  const all = new Map(files.flatMap(({ tensors }) => tensors.map((tensor) => [tensor.name, tensor] as const)));
  return files.map((file) => ({ ...file, tensors: file.tensors.flatMap((tensor) => joined(tensor, all, form)) }));
}

/** The tensor of the model that a stored one is; nothing for scales. */
function joined(
  tensor: StoredTensor,
  all: ReadonlyMap<string, StoredTensor>,
  form: ScaledForm | undefined,
): readonly StoredTensor[] {
  if (form === undefined) return [checkedFloat(tensor)];
  if (OF_ACTIVATIONS.test(tensor.name)) return [];
  if (isWeight(tensor, form)) return [withScales(tensor, all, form)];
  const weight = replacedEnd(tensor.name, form.scalesSuffix, form.weightSuffix);
  const own = weight === undefined ? undefined : all.get(weight);
  return own !== undefined && isWeight(own, form) ? [] : [checkedFloat(tensor)];
}

const isWeight = ({ name, dtype }: StoredTensor, { packed, weightSuffix }: ScaledForm): boolean =>
  packed ? dtype === "U8" && name.endsWith(weightSuffix) : dtype === "F8_E4M3";

/** A name with another end; undefined when it does not have the first. */
const replacedEnd = (name: string, end: string, other: string): string | undefined =>
  name.endsWith(end) ? name.slice(0, name.length - end.length) + other : undefined;

function checkedFloat(tensor: StoredTensor): StoredTensor {
  if (isFloatDtype(tensor.dtype)) return tensor;
  throw unsupportedType(tensor.source, tensor.name, tensor.dtype);
}

function withScales(stored: StoredTensor, all: ReadonlyMap<string, StoredTensor>, form: ScaledForm): StoredTensor {
  const weight = form.packed ? unpacked(stored, form) : stored;
  const name = replacedEnd(stored.name, form.weightSuffix, form.scalesSuffix)!;
  const scales = all.get(name);
  if (scales === undefined)
    throw new CompError("checkpoint", `${stored.source.name}: tensor "${stored.name}" has no scales "${name}"`, {
      hint: "download or copy the folder again",
    });
  const tensor: StoredTensor = scales.dtype === "U8" ? { ...scales, dtype: "F8_E8M0" } : scales;
  return { ...weight, scales: { tensor, block: blockFor(weight, scales, form.block) } };
}

/** Bytes [..., blocks, bytes of a block] as the 4-bit floats [..., columns] that they hold, in the order in which they are stored. */
function unpacked(stored: StoredTensor, { weightSuffix }: ScaledForm): StoredTensor {
  const [blocks = 1, bytes = 1] = stored.shape.slice(-2);
  const shape = [...stored.shape.slice(0, -2), 2 * blocks * bytes];
  return { ...stored, name: replacedEnd(stored.name, weightSuffix, "")!, shape, dtype: "F4" };
}

/** The blocks of a weight [..., rows, columns] that its scales are of: all of it, those that are stated, or its rows. */
function blockFor(weight: StoredTensor, scales: StoredTensor, stated: ScaleBlock | undefined): ScaleBlock {
  const [columns = 1, rows = 1] = weight.shape.toReversed();
  const leading = weight.shape.slice(0, -2);
  if (elementsOf(scales.shape) === 1) return [elementsOf(leading) * rows, columns];
  const [blockRows, blockColumns] = stated ?? [1, columns];
  const grid = [...leading, Math.ceil(rows / blockRows), Math.ceil(columns / blockColumns)];
  // the matrices of a stack are read as one, in which each must begin with a block of its own
  const isFitting = sameSizes(scales.shape, grid) || (stated === undefined && sameSizes([...scales.shape, 1], grid));
  if (isFitting && (leading.length === 0 || rows % blockRows === 0)) return [blockRows, blockColumns];
  throw new CompError(
    "checkpoint",
    `${scales.source.name}: the scales "${scales.name}" [${scales.shape.join(", ")}] do not fit "${weight.name}" [${weight.shape.join(", ")}]`,
    { hint: "the blocks have to be those of weight_block_size in config.json" },
  );
}

const sameSizes = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);
