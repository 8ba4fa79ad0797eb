// Writes the tensors of a model into a GGUF file, under the names and in the order of llama.cpp.

import { byteLength, type Dtype } from "../../checkpoint/dtype.ts";
import type { Output } from "../../checkpoint/storage.ts";
import { baseName } from "../../checkpoint/storage.ts";
import type { TensorWriter } from "../../checkpoint/tensor-writer.ts";
import {
  type GgufMetadata,
  type GgufPlan,
  type GgufTensorPlan,
  planGguf,
  writeGguf,
} from "../../checkpoint/write-gguf.ts";
import { elementCount } from "../../compute/tensor.ts";
import { type GgufLayout, layoutFor, storedSpec } from "../gguf/layout.ts";
import { ggufStorage } from "../gguf/names.ts";
import { ropeTensors } from "../gguf/rope.ts";
import type { Model } from "../model.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { type StoredTensor, storedTensors } from "../storage/stored-tensors.ts";
import { type StoringWriter, storingWriter, type TypedTensor } from "../storage/write-stored.ts";
import { ggufMetadata } from "./gguf-metadata.ts";
import type { GgufTypes } from "./tensor-types.ts";

/**
 * Refuses a model that GGUF cannot hold; `perLayer` when its layers will differ in width.
 * @throws {CompError} as `writeGgufModel`.
 */
export async function checkGguf(source: Model, spec: DecoderSpec, fileType: number, perLayer: boolean): Promise<void> {
  await ggufMetadata(source, spec, layoutFor(spec, perLayer), fileType);
}

/** Bytes of the tensors of a model of `spec`. @throws {CompError} "architecture" as `layoutFor`. */
export const ggufBytes = (spec: DecoderSpec, types: GgufTypes): number =>
  planTensors(spec, layoutFor(spec), types).reduce((sum, tensor) => sum + tensorBytes(tensor), 0);

/** Bytes of the whole file of a model of `spec` made from `source`. @throws {CompError} as `writeGgufModel` */
export const ggufFileBytes = async (source: Model, spec: DecoderSpec, types: GgufTypes): Promise<number> =>
  (await planFile(source, spec, layoutFor(spec), types)).byteLength;

/** The type of each tensor of the model in a file, by its name. @throws {CompError} "architecture" as `layoutFor` */
export function ggufTensorTypes(spec: DecoderSpec, types: GgufTypes): Map<string, Dtype> {
  const stored = typedTensors(spec, layoutFor(spec), types);
  return new Map(stored.flatMap(({ pieces, dtype }) => pieces.map(({ tensor }) => [tensor.name, dtype] as const)));
}

const tensorBytes = ({ dtype, shape }: GgufTensorPlan): number => byteLength(dtype, elementCount(shape));

/**
 * Opens a GGUF file for a model of `spec` made from `source`, whose metadata it takes over, plus `extra`.
 * @throws {CompError} "architecture" or "checkpoint" as `layoutFor` and `ggufMetadata`.
 */
export async function writeGgufModel(
  output: Output,
  source: Model,
  spec: DecoderSpec,
  types: GgufTypes,
  extra: GgufMetadata,
): Promise<StoringWriter> {
  const layout = layoutFor(spec);
  const stored = typedTensors(spec, layout, types);
  const writer = await writeGguf(output, baseName(output.name), await planFile(source, spec, layout, types, extra));
  for (const [name, values] of ropeTensors(spec)) await writer.write(name, values);
  await writeIdleParts(writer, stored, spec, layout);
  return storingWriter(writer, stored);
}

async function planFile(
  source: Model,
  spec: DecoderSpec,
  layout: GgufLayout,
  types: GgufTypes,
  extra: GgufMetadata = new Map(),
): Promise<GgufPlan> {
  const metadata = new Map([...(await ggufMetadata(source, spec, layout, types.fileType)), ...extra]);
  return planGguf(metadata, planTensors(spec, layout, types));
}

/** The tensors of the file, those of idle parts included. */
const tensorsOf = (spec: DecoderSpec, layout: GgufLayout): StoredTensor[] =>
  storedTensors(storedSpec(spec, layout), ggufStorage(layout));

function typedTensors(spec: DecoderSpec, layout: GgufLayout, types: GgufTypes): TypedTensor[] {
  const typeOf = types.of(storedSpec(spec, layout));
  return tensorsOf(spec, layout).map((one) => ({ ...one, dtype: typeOf(one) }));
}

function planTensors(spec: DecoderSpec, layout: GgufLayout, types: GgufTypes): GgufTensorPlan[] {
  const rope = [...ropeTensors(spec)].map(
    ([name, { length }]): GgufTensorPlan => ({ name, shape: [length], dtype: "F32" }),
  );
  return [...typedTensors(spec, layout, types), ...rope];
}

/** Zeros for the sublayers that the model does not have but llama.cpp needs. */
async function writeIdleParts(
  writer: TensorWriter,
  stored: readonly StoredTensor[],
  spec: DecoderSpec,
  layout: GgufLayout,
): Promise<void> {
  const names = new Set(storedTensors(spec, ggufStorage(layout)).map(({ name }) => name));
  for (const { name, shape } of stored)
    if (!names.has(name)) await writer.write(name, new Float32Array(elementCount(shape)));
}
