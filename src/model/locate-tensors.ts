// Finds every tensor of a model in its checkpoint, and reports what is missing, misshapen or unexpected.
import type { Checkpoint, TensorInfo } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import { layoutOf, storedSpec } from "./gguf/layout.ts";
import { isRotated } from "./gguf/row-order.ts";
import { hasOwnHead } from "./own-head.ts";
import type { DecoderSpec } from "./spec/decoder-spec.ts";
import { describeDimension, type ExpectedTensor, modelTensors } from "./spec/tensor-names.ts";

/** A tensor of the model and where its values are. */
export interface LocatedTensor {
  /** Under its Hugging Face name. */
  readonly info: TensorInfo;
  /** Its name in the checkpoint. */
  readonly storedName: string;
  /** Rows of heads are stored in llama.cpp's interleaved order. */
  readonly interleaved: boolean;
  /** What is stored is this much more than the weight (GGUF adds a norm's offset to its weight). */
  readonly storedOffset: 0 | 1;
}

/** Buffers that follow from the configuration and need not be read. */
const IGNORED = /(^|\.)rotary_emb\.inv_freq$|^rope_freqs\.weight$/;
const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/**
 * Whether head and embedding of a model in a folder are one matrix: what its configuration says, unless the files hold two that
 * differ. A GGUF file has a head of its own exactly when it stores one.
 */
export async function isTied(checkpoint: Checkpoint, { tiedEmbeddings }: DecoderSpec): Promise<boolean> {
  if (!tiedEmbeddings || checkpoint.format === "gguf") return tiedEmbeddings;
  return !(await hasOwnHead(checkpoint, folderName(checkpoint, EMBEDDING), HEAD));
}

/**
 * The model's tensors by their Hugging Face names. `source` names the configuration in messages.
 * @throws {CompError} "checkpoint" for a missing or misshapen tensor, "architecture" for tensors the family does not have.
 */
export function locateTensors(checkpoint: Checkpoint, spec: DecoderSpec, source: string): Map<string, LocatedTensor> {
  const locate = locator(checkpoint, spec);
  const located = new Map<string, LocatedTensor>();
  for (const expected of modelTensors(spec)) {
    const { storedName, ...place } = locate(expected);
    const stored = checkpoint.tensors.get(storedName);
    if (stored === undefined) throw missing(checkpoint, spec, expected, storedName, source);
    checkShape(expected, stored, spec, source);
    located.set(expected.name, { info: { ...stored, name: expected.name }, storedName, ...place });
  }
  checkUnexpected(checkpoint, spec, located, source);
  return located;
}

type Place = Omit<LocatedTensor, "info">;

function locator(checkpoint: Checkpoint, spec: DecoderSpec): (expected: ExpectedTensor) => Place {
  if (checkpoint.format === "gguf") {
    const { interleavedRotary } = layoutOf(checkpoint);
    return ({ role, part, ggufName }) => ({
      storedName: ggufName,
      interleaved: interleavedRotary && isRotated(role),
      storedOffset: part === "norms" ? spec.normOffset : 0,
    });
  }
  return ({ name }) => ({
    storedName: isHeadAlone(checkpoint, spec, name) ? HEAD : folderName(checkpoint, name),
    interleaved: false,
    storedOffset: 0,
  });
}

/** A model saved without its head (AutoModel instead of AutoModelForCausalLM) has names without the prefix. */
const folderName = ({ tensors }: Checkpoint, name: string): string =>
  tensors.has("embed_tokens.weight") || tensors.has("norm.weight") ? name.replace(/^model\./, "") : name;

/** Of two tied matrices the files may hold either. */
const isHeadAlone = (checkpoint: Checkpoint, { tiedEmbeddings }: DecoderSpec, name: string): boolean =>
  tiedEmbeddings &&
  name === EMBEDDING &&
  checkpoint.tensors.has(HEAD) &&
  !checkpoint.tensors.has(folderName(checkpoint, EMBEDDING));

function missing(
  checkpoint: Checkpoint,
  spec: DecoderSpec,
  expected: ExpectedTensor,
  storedName: string,
  source: string,
): CompError {
  const what = `${checkpoint.name} lacks tensor "${storedName}"`;
  if (expected.role === "lmHead")
    return new CompError("checkpoint", `${what}, and ${source} does not say that it is tied to the embedding`, {
      hint: "complete the download, or set tie_word_embeddings to true where the model was trained so",
    });
  return new CompError("checkpoint", what, {
    hint: `${source} describes a ${spec.family} of ${spec.layers.length} layers; does it belong to these weights, all of them?`,
  });
}

function checkShape(expected: ExpectedTensor, stored: TensorInfo, spec: DecoderSpec, source: string): void {
  const { shape, dimensions } = expected;
  const wrong = shape.findIndex((size, axis) => stored.shape[axis] !== size);
  if (wrong === -1 && stored.shape.length === shape.length) return;
  const layer = spec.layers[expected.layer ?? 0]!;
  const says =
    stored.shape.length === shape.length
      ? describeDimension(dimensions[wrong]!, spec, layer)
      : `it must be [${shape.join(", ")}]`;
  throw new CompError("checkpoint", `${stored.name} is [${stored.shape.join(", ")}], ${source} says ${says}`, {
    hint: "is this a mix of two checkpoints?",
  });
}

function checkUnexpected(
  checkpoint: Checkpoint,
  spec: DecoderSpec,
  located: ReadonlyMap<string, LocatedTensor>,
  source: string,
): void {
  const known = new Set([...located.values()].map((tensor) => tensor.storedName));
  if (checkpoint.format === "gguf")
    for (const { ggufName } of modelTensors(storedSpec(spec, layoutOf(checkpoint)))) known.add(ggufName);
  const [first, ...more] = [...checkpoint.tensors.keys()].filter(
    (name) => !known.has(name) && !IGNORED.test(name) && !(spec.tiedEmbeddings && name === HEAD),
  );
  if (first === undefined) return;
  const layer = Number(/(?:^|\.)(?:layers|blk)\.(\d+)\./.exec(first)?.[1] ?? -1);
  if (layer >= spec.layers.length)
    throw new CompError(
      "checkpoint",
      `${checkpoint.name} has tensor "${first}", ${source} says num_hidden_layers ${spec.layers.length}`,
      { hint: "is this a mix of two checkpoints?" },
    );
  const others = more.length === 0 ? "" : ` and ${more.length} more`;
  throw new CompError(
    "architecture",
    `${checkpoint.name} has tensors that are no part of a ${spec.family}: "${first}"${others}`,
    { hint: "a variant of the family, or an adapter that must be merged into the weights first" },
  );
}
