// Finds every tensor of a model in its checkpoint, and reports what is missing, misshapen or unexpected.
import type { Checkpoint, TensorInfo } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import { familyOf } from "./families/index.ts";
import { layoutOf, storedSpec } from "./gguf/layout.ts";
import { ggufStorage } from "./gguf/names.ts";
import { hasOwnHead } from "./own-head.ts";
import type { DecoderSpec } from "./spec/decoder-spec.ts";
import { describeDimension } from "./spec/dimensions.ts";
import type { GlobalModule } from "./spec/roles.ts";
import {
  eachStored,
  globalName,
  type Place,
  placesByName,
  type RowForm,
  rowFormOf,
  type StorageRule,
  type StoredTensor,
  storedTensors,
} from "./storage/stored-tensors.ts";

/** A tensor of the model and where its rows are. */
export interface LocatedTensor {
  /** Under its own name; its bytes are those that it takes in the file. */
  readonly info: TensorInfo;
  readonly places: readonly Place[];
  /** How its rows are stored; undefined where they lie as columns, or here and there differently. */
  readonly form: RowForm | undefined;
}

/** Buffers of the model that follow from the configuration and need not be read. */
const IGNORED = /(^|\.)rotary_emb\.inv_freq$/;

/**
 * Whether head and embedding of a model in a folder are one matrix: what its configuration says, unless the files hold two that
 * differ. A GGUF file has a head of its own exactly when it stores one.
 */
export async function isTied(checkpoint: Checkpoint, spec: DecoderSpec): Promise<boolean> {
  if (!spec.tiedEmbeddings || checkpoint.format === "gguf") return spec.tiedEmbeddings;
  const rule = storageOf(checkpoint, spec);
  return !(await hasOwnHead(checkpoint, nameIn(checkpoint, rule, "embedTokens"), nameIn(checkpoint, rule, "lmHead")));
}

/**
 * The model's tensors by their names. `source` names the configuration in messages.
 *
 * @param isPart whether the model is the text part of another, of which there are `others`
 * @throws {CompError} "checkpoint" for a missing or misshapen tensor, "architecture" for tensors the family does not have.
 */
export function locateTensors(
  checkpoint: Checkpoint,
  spec: DecoderSpec,
  source: string,
  isPart = false,
): { readonly located: Map<string, LocatedTensor>; readonly others: readonly TensorInfo[] } {
  const rule = storageOf(checkpoint, spec);
  const stored: StoredTensor[] = [];
  const found = new Map<StoredTensor, TensorInfo>();
  for (const tensor of asSaved(checkpoint, spec, rule)) {
    const info = checkpoint.tensors.get(tensor.name);
    if (info === undefined) throw missing(checkpoint, spec, tensor, source);
    checkShape(tensor, info, spec, source);
    stored.push(tensor);
    found.set(tensor, info);
  }
  const prefix = textPrefix(checkpoint, rule);
  const isOther = (name: string): boolean => isPart && !name.startsWith(prefix);
  const unknown = unknownNames(checkpoint, spec, rule, stored);
  refuseUnexpected(
    checkpoint,
    spec,
    unknown.filter((name) => !isOther(name) && !IGNORED.test(name) && rule.ignored?.test(name) !== true),
    source,
  );
  const locate = (name: string, places: readonly Place[]): LocatedTensor => ({
    info: infoOf(name, places, found),
    places,
    form: rowFormOf(places, (one) => found.get(one)!.dtype),
  });
  return {
    located: new Map([...placesByName(stored)].map(([name, places]) => [name, locate(name, places)])),
    others: unknown.filter(isOther).map((name) => checkpoint.tensors.get(name)!),
  };
}

/** The stored tensors that have a row for each token, under the names of this file; of two that are tied both. */
export function vocabularyTensors(checkpoint: Checkpoint, spec: DecoderSpec): string[] {
  const rule = storageOf(checkpoint, spec);
  return (["embedTokens", "lmHead"] as const)
    .map((module) => nameIn(checkpoint, rule, module))
    .filter((name) => checkpoint.tensors.has(name));
}

export function storageOf(checkpoint: Checkpoint, { family }: DecoderSpec): StorageRule {
  if (checkpoint.format === "gguf") return ggufStorage(layoutOf(checkpoint));
  const { stackedExperts, ...rule } = familyOf({ model_type: family }).storage;
  const module = `.${stackedExperts?.modules.expertGate}`;
  if (stackedExperts === undefined || ![...checkpoint.tensors.keys()].some((name) => name.endsWith(module)))
    return rule;
  return { ...rule, ...stackedExperts, modules: { ...rule.modules, ...stackedExperts.modules } };
}

/**
 * What this file calls the tensors of a family. A model saved without its head (AutoModel instead of AutoModelForCausalLM) has
 * names without their first part; a text part stands under a name of its own, before that or behind it.
 */
export function namesIn(checkpoint: Checkpoint, rule: StorageRule): (name: string) => string {
  const [embedding, head] = [globalName(rule, "embedTokens"), globalName(rule, "lmHead")];
  const first = embedding.slice(0, embedding.indexOf(".") + 1);
  const rest = (name: string): string => name.slice(first.length);
  const variants = [
    (name: string): string => name,
    (name: string): string => (name.startsWith(first) ? rest(name) : name),
    (name: string): string => (name === head && checkpoint.tensors.has(head) ? name : `${TEXT_PART}${name}`),
    (name: string): string => (name.startsWith(first) ? `${first}${TEXT_PART}${rest(name)}` : name),
  ];
  const some = [embedding, globalName(rule, "finalNorm")];
  const isHere = (variant: (name: string) => string): boolean =>
    some.some((name) => checkpoint.tensors.has(variant(name)));
  return (checkpoint.format === "gguf" ? undefined : variants.find(isHere)) ?? variants[0]!;
}

/** Stands before the names of a text part. */
const TEXT_PART = "language_model.";

/** How the names of a text part begin. */
function textPrefix(checkpoint: Checkpoint, rule: StorageRule): string {
  const embedding = nameIn(checkpoint, rule, "embedTokens");
  return embedding.slice(0, embedding.lastIndexOf(".", embedding.lastIndexOf(".") - 1) + 1);
}

const nameIn = (checkpoint: Checkpoint, rule: StorageRule, module: GlobalModule): string =>
  namesIn(checkpoint, rule)(globalName(rule, module));

/** The tensors under the names of this file. Of two tied matrices it may hold either. */
function* asSaved(checkpoint: Checkpoint, spec: DecoderSpec, rule: StorageRule): Generator<StoredTensor, void, void> {
  const rename = namesIn(checkpoint, rule);
  const [embedding, head] = [nameIn(checkpoint, rule, "embedTokens"), nameIn(checkpoint, rule, "lmHead")];
  const isHeadAlone =
    spec.tiedEmbeddings &&
    checkpoint.format !== "gguf" &&
    checkpoint.tensors.has(head) &&
    !checkpoint.tensors.has(embedding);
  for (const one of eachStored(spec, rule)) {
    const name = rename(one.name);
    yield { ...one, name: isHeadAlone && name === embedding ? head : name };
  }
}

function infoOf(name: string, places: readonly Place[], found: ReadonlyMap<StoredTensor, TensorInfo>): TensorInfo {
  const { dtype } = found.get(places[0]!.stored)!;
  const { shape } = places[0]!.piece.tensor;
  const bytes = places.map(({ stored, piece }) => {
    const rows = stored.pieces.reduce((sum, one) => sum + one.end - one.start, 0);
    return (found.get(stored)!.byteLength * (piece.end - piece.start)) / rows;
  });
  return { name, dtype, shape, byteLength: bytes.reduce((sum, size) => sum + size, 0) };
}

function missing(checkpoint: Checkpoint, spec: DecoderSpec, expected: StoredTensor, source: string): CompError {
  const what = `${checkpoint.name} lacks tensor "${expected.name}"`;
  if (expected.pieces[0]!.tensor.role === "lmHead")
    return new CompError("checkpoint", `${what}, and ${source} does not say that it is tied to the embedding`, {
      hint: "complete the download, or set tie_word_embeddings to true where the model was trained so",
    });
  return new CompError("checkpoint", what, {
    hint: `${source} describes a ${spec.family} of ${spec.layers.length} layers; does it belong to these weights, all of them?`,
  });
}

function checkShape(expected: StoredTensor, stored: TensorInfo, spec: DecoderSpec, source: string): void {
  const { shape, pieces, transposed } = expected;
  const wrong = shape.findIndex((size, axis) => stored.shape[axis] !== size);
  if (wrong === -1 && stored.shape.length === shape.length) return;
  const { dimensions, layer } = pieces[0]!.tensor;
  const dimension = dimensions[transposed ? dimensions.length - 1 - wrong : wrong];
  const isPlain = pieces.length === 1 && stored.shape.length === shape.length && dimension !== undefined;
  const says = isPlain
    ? describeDimension(dimension, spec, spec.layers[layer ?? 0]!)
    : `it must be [${shape.join(", ")}]`;
  throw new CompError("checkpoint", `${stored.name} is [${stored.shape.join(", ")}], ${source} says ${says}`, {
    hint: "is this a mix of two checkpoints?",
  });
}

/** Names of tensors that are no part of the model. */
function unknownNames(
  checkpoint: Checkpoint,
  spec: DecoderSpec,
  rule: StorageRule,
  stored: readonly StoredTensor[],
): string[] {
  const known = new Set(stored.map(({ name }) => name));
  if (checkpoint.format === "gguf")
    for (const { name } of storedTensors(storedSpec(spec, layoutOf(checkpoint)), rule)) known.add(name);
  const head = nameIn(checkpoint, rule, "lmHead");
  return [...checkpoint.tensors.keys()].filter((name) => !known.has(name) && !(spec.tiedEmbeddings && name === head));
}

/** @throws {CompError} for tensors that are no part of the model, where there are any */
function refuseUnexpected(
  checkpoint: Checkpoint,
  spec: DecoderSpec,
  [first, ...more]: readonly string[],
  source: string,
): void {
  if (first === undefined) return;
  const layer = Number(/(?:^|\.)(?:layers|blk|h)\.(\d+)\./.exec(first)?.[1] ?? -1);
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
