// The element type in which each tensor of a pruned model is written: as is asked for, or that which it has in the source.
import {
  blockSize,
  byteLength,
  type Dtype,
  type FloatDtype,
  isFloatDtype,
  type WritableDtype,
} from "../../checkpoint/dtype.ts";
import type { Model } from "../model.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import type { LayerIndex } from "../spec/layer-index.ts";
import { type ExpectedTensor, modelTensors } from "../spec/tensor-names.ts";
import { type Mixture, mixtureTypes, type TypeOfStored } from "./mixtures.ts";

/** The types of a folder. */
export interface TensorTypes {
  /** That of most matrices, which config.json names. */
  readonly most: FloatDtype;
  /** That of a tensor of the pruned model. */
  of(tensor: ExpectedTensor): FloatDtype;
}

/** The types of a GGUF file. */
export interface GgufTypes {
  /** What its header names: the mixture, or the type of most matrices. */
  readonly most: Mixture;
  /** Those of the tensors of a file that stores a model of `spec`. Vectors are F32: llama.cpp takes no other. */
  of(spec: DecoderSpec): TypeOfStored;
}

/** What a type is asked for as: by its name, or "own" for that of each tensor in the source. */
export type DtypeChoice<D extends FloatDtype | Mixture> = D | "own";

/**
 * The types of a file with a model made of the layers `keptLayers` of `source`.
 * @param weighted importance goes into the quantizing
 */
export function ggufTypes(
  source: Pick<Model, "spec" | "tensors">,
  keptLayers: readonly LayerIndex[],
  choice: DtypeChoice<Mixture>,
  weighted: boolean,
): GgufTypes {
  if (choice !== "own") return { most: choice, of: (spec) => mixtureTypes(choice, spec, weighted) };
  const { most, of } = tensorTypes(source, keptLayers, "own");
  return {
    most: MIXTURE_OF_FLOATS[most],
    of: () => (tensor) => storedDtype(tensor.shape, of(tensor.pieces[0]!.tensor)),
  };
}

const MIXTURE_OF_FLOATS: Readonly<Record<FloatDtype, Mixture>> = { F32: "f32", F16: "f16", BF16: "bf16" };

function storedDtype(shape: readonly number[], dtype: WritableDtype): WritableDtype {
  if (shape.length === 1) return "F32";
  return shape.at(-1)! % blockSize(dtype) === 0 ? dtype : "F16";
}

/** The types of a folder with a model made of the layers `keptLayers` of `source`. */
export function tensorTypes(
  source: Pick<Model, "spec" | "tensors">,
  keptLayers: readonly LayerIndex[],
  choice: DtypeChoice<FloatDtype>,
): TensorTypes {
  if (choice !== "own") return { most: choice, of: () => choice };
  const most = typeOfMost(source);
  const types = new Map<string, FloatDtype>();
  for (const { role, layer, name } of modelTensors(source.spec)) types.set(`${role} ${layer}`, ownType(source, name));
  return {
    most,
    // the source may lack a bias that recovery adds
    of: ({ role, layer }) => types.get(`${role} ${layer === undefined ? layer : keptLayers[layer]}`) ?? most,
  };
}

/** Types of quantized weights in a folder, whose values transformers takes as BF16. */
const SCALED: readonly Dtype[] = ["F8_E4M3", "F4"];

/** The type in the source; nothing that is quantized is written as it was, so that it becomes BF16 or F16. */
function ownType({ tensors }: Pick<Model, "tensors">, name: string): FloatDtype {
  const { dtype } = tensors.get(name)!;
  return isFloatDtype(dtype) ? dtype : SCALED.includes(dtype) ? "BF16" : "F16";
}

/** Of types with as many matrices the wider one. */
function typeOfMost(source: Pick<Model, "spec" | "tensors">): FloatDtype {
  const counts = new Map<FloatDtype, number>();
  for (const { name, shape } of modelTensors(source.spec)) {
    const dtype = ownType(source, name);
    if (shape.length > 1) counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
  }
  const [[dtype]] = [...counts].sort(([a, m], [b, n]) => n - m || byteLength(b, 1) - byteLength(a, 1)) as [
    [FloatDtype, number],
  ];
  return dtype;
}
