// A model as a GGUF file in some type would have it, without the file: every value goes through its type as it is read. Importance
// is left out, so that these are the values of a plain quantization.
import { decodeInto, encode, isWritable } from "../../checkpoint/dtype.ts";
import { checkFinite, type Model } from "../model.ts";
import { layerIndices } from "../spec/layer-index.ts";
import { ggufFileBytes, ggufTensorTypes } from "./gguf-writer.ts";
import type { Mixture } from "./mixtures.ts";
import { type GgufTypes, ggufTypes } from "./tensor-types.ts";

/** @throws {CompError} "architecture" for a model that GGUF has no form for; reading throws "numeric" for what the type cannot hold */
export function roundedModel(source: Model, mixture: Mixture): Model {
  const types = ggufTensorTypes(source.spec, plainTypes(source, mixture));
  const readRows: Model["readRows"] = async (name, start, end) => {
    const values = await source.readRows(name, start, end);
    const info = source.tensors.get(name)!;
    const dtype = types.get(name)!;
    if (info.dtype === dtype || !isWritable(dtype)) return values;
    decodeInto(dtype, encode(dtype, values), values);
    checkFinite(info, values, start);
    return values;
  };
  return {
    ...source,
    readRows,
    read: (name) => readRows(name, 0, source.tensors.get(name)!.shape[0]!),
    rowForm: () => undefined, // no bytes of these values exist
  };
}

/** Bytes of the GGUF file that has the model in a type. @throws {CompError} as `roundedModel`, or "checkpoint" for its tokenizer */
export const roundedBytes = (source: Model, mixture: Mixture): Promise<number> =>
  ggufFileBytes(source, source.spec, plainTypes(source, mixture));

const plainTypes = (source: Model, mixture: Mixture): GgufTypes =>
  ggufTypes(source, layerIndices(source.spec), mixture, false);
