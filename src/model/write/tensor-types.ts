// The element type in which each tensor of a pruned model is written: one for all of them, or that which it has in the source.
import { byteLength, type Dtype, type FloatDtype, isFloatDtype, type WritableDtype } from "../../checkpoint/dtype.ts";
import type { Model } from "../model.ts";
import type { LayerIndex } from "../spec/layer-index.ts";
import { type ExpectedTensor, modelTensors } from "../spec/tensor-names.ts";

export interface TensorTypes<D extends WritableDtype = WritableDtype> {
  /** That of most matrices, which config.json and the header of a GGUF file name. */
  readonly most: D;
  /** That of a tensor of the pruned model. */
  of(tensor: ExpectedTensor): D;
}

/** What a type is asked for as: by its name, or "own" for that of each tensor in the source. */
export type DtypeChoice<D extends WritableDtype = WritableDtype> = D | "own";

/** The types of a model made of the layers `keptLayers` of `source`. */
export function tensorTypes<D extends WritableDtype>(
  source: Pick<Model, "spec" | "tensors">,
  keptLayers: readonly LayerIndex[],
  choice: DtypeChoice<D>,
): TensorTypes<D | FloatDtype> {
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
