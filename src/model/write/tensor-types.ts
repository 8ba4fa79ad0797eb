// The element type in which each tensor of a pruned model is written: as is asked for, or that which it has in the source.
import {
  byteLength,
  type Dtype,
  type FloatDtype,
  isFloatDtype,
  isWritable,
  type WritableDtype,
} from "../../checkpoint/dtype.ts";
import type { Model } from "../model.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import type { LayerIndex } from "../spec/layer-index.ts";
import type { Role } from "../spec/roles.ts";
import { type ExpectedTensor, modelTensors } from "../spec/tensor-names.ts";
import { fitting, isAlwaysF32, MIXTURES, type Mixture, mixtureTypes, type TypeOfStored } from "./mixtures.ts";

/** The types of a folder. */
export interface TensorTypes {
  /** That of most matrices, which config.json names. */
  readonly most: FloatDtype;
  /** That of a tensor of the pruned model. */
  of(tensor: ExpectedTensor): FloatDtype;
}

/** The types of a GGUF file. */
export interface GgufTypes {
  /** llama.cpp's number for them, `general.file_type`. */
  readonly fileType: number;
  /** Those of the tensors of a file that stores a model of `spec`. Vectors are F32: llama.cpp takes no other. */
  of(spec: DecoderSpec): TypeOfStored;
}

/** What a type is asked for as: by its name, or that of each tensor in the source. */
export type DtypeChoice<D extends FloatDtype | Mixture> = D | KeptTypes;

/** Tensors as they are in the source: of a model that changes, of one whose experts do not, or of one that is copied. */
type KeptTypes = keyof typeof CHANGED;

/** The matrices whose values change then; of all others rows are copied. */
const CHANGED = {
  same: ["oProj", "downProj", "expertDown", "sharedDown"],
  "same-experts": ["oProj", "downProj"],
  copied: [],
} as const satisfies Readonly<Record<string, readonly Role[]>>;

const keepsTypes = (choice: string): choice is KeptTypes => choice in CHANGED;

/** The matrices whose values change where tensors keep their types; undefined where they have others. */
export const changedRoles = (choice: DtypeChoice<FloatDtype | Mixture>): readonly Role[] | undefined =>
  keepsTypes(choice) ? CHANGED[choice] : undefined;

type Source = Pick<Model, "spec" | "tensors" | "checkpoint">;

/**
 * The types of a file with a model made of the layers `keptLayers` of `source`.
 * @param weighted importance goes into the quantizing
 */
export function ggufTypes(
  source: Source,
  keptLayers: readonly LayerIndex[],
  choice: DtypeChoice<Mixture>,
  weighted: boolean,
): GgufTypes {
  if (keepsTypes(choice)) return sameTypes(source, keptLayers, CHANGED[choice]);
  return { fileType: MIXTURES[choice].fileType, of: (spec) => mixtureTypes(choice, spec, weighted) };
}

function sameTypes(source: Source, keptLayers: readonly LayerIndex[], changed: readonly Role[]): GgufTypes {
  const { most, of } = typesIn(source, keptLayers, (dtype) => (SCALED.includes(dtype) ? "BF16" : dtype));
  const named = source.checkpoint.metadata.get("general.file_type");
  const typeOf: TypeOfStored = ({ shape, pieces }) => {
    const { tensor } = pieces[0]!;
    if (isAlwaysF32(shape, tensor.role)) return "F32";
    const dtype = of(tensor);
    if (dtype !== undefined && !changed.includes(tensor.role)) return dtype;
    return fitting(rewritable(dtype ?? most), shape.at(-1)!);
  };
  return { fileType: typeof named === "number" ? named : FILE_TYPES[floatOf(most)], of: () => typeOf };
}

const FILE_TYPES: Readonly<Record<FloatDtype, number>> = {
  F32: MIXTURES.f32.fileType,
  F16: MIXTURES.f16.fileType,
  BF16: MIXTURES.bf16.fileType,
};

/** What values become that were in a type in which none are written. */
const REWRITTEN: Readonly<Record<Exclude<Dtype, WritableDtype>, WritableDtype>> = {
  IQ1_S: "Q2_K",
  IQ1_M: "Q2_K",
  IQ2_XXS: "Q2_K",
  IQ2_XS: "Q2_K",
  IQ2_S: "Q2_K",
  IQ3_XXS: "Q3_K",
  IQ3_S: "Q3_K",
  TQ1_0: "Q2_K",
  TQ2_0: "Q2_K",
  MXFP4: "IQ4_NL",
  NVFP4: "IQ4_NL",
  F8_E4M3: "BF16",
  F8_E8M0: "BF16",
  F4: "BF16",
  U8: "BF16",
};

/** The type in which values are written that were in `dtype`: the same where it can be written. */
export const rewritable = (dtype: Dtype): WritableDtype => (isWritable(dtype) ? dtype : REWRITTEN[dtype]);

/** The types of a folder with a model made of the layers `keptLayers` of `source`; what is quantized there becomes BF16 or F16. */
export function tensorTypes(
  source: Source,
  keptLayers: readonly LayerIndex[],
  choice: DtypeChoice<FloatDtype>,
): TensorTypes {
  if (!keepsTypes(choice)) return { most: choice, of: () => choice };
  const { most, of } = typesIn(source, keptLayers, floatOf);
  // the source may lack a bias that recovery adds
  return { most, of: (tensor) => of(tensor) ?? most };
}

/** Types of quantized weights in a folder, whose values transformers takes as BF16. */
const SCALED: readonly Dtype[] = ["F8_E4M3", "F4"];

const floatOf = (dtype: Dtype): FloatDtype => (isFloatDtype(dtype) ? dtype : SCALED.includes(dtype) ? "BF16" : "F16");

interface TypesInSource<D extends Dtype> {
  /** That of most matrices; of types with as many the one with most bytes. */
  readonly most: D;
  /** That of a tensor of the pruned model, where the source has it. */
  of(tensor: ExpectedTensor): D | undefined;
}

/** The types that tensors have in the source, each as `take` has it. */
function typesIn<D extends Dtype>(
  { spec, tensors }: Source,
  keptLayers: readonly LayerIndex[],
  take: (dtype: Dtype) => D,
): TypesInSource<D> {
  const types = new Map<string, D>();
  const counts = new Map<D, number>();
  for (const { role, layer, name, shape } of modelTensors(spec)) {
    const dtype = take(tensors.get(name)!.dtype);
    types.set(`${role} ${layer}`, dtype);
    if (shape.length > 1) counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || bytesOf(b) - bytesOf(a));
  return {
    most: sorted[0]![0],
    of: ({ role, layer }) => types.get(`${role} ${layer === undefined ? layer : keptLayers[layer]}`),
  };
}

/** Bytes of as many elements as every type stores in whole blocks. */
const bytesOf = (dtype: Dtype): number => byteLength(dtype, 256);
