// A checkpoint of which only some tokens are left: rows of embedding and head, the tokenizer, and every id that its files or its
// header name. It reads like any other, so that whatever is made of it needs to know nothing of what is gone.
import type { Checkpoint, MetadataValue, TensorInfo } from "../checkpoint/checkpoint.ts";
import { readText } from "../checkpoint/folder-files.ts";
import { ggufValue } from "../checkpoint/gguf-bytes.ts";
import type { ByteSource, SourceFolder } from "../checkpoint/storage.ts";
import { gatherRows } from "../linalg/gather.ts";
import { isObject, readJsonObject, type TokenizerJson } from "../tokenizer/tokenizer-json.ts";
import { namedTokenIds, trimSettings } from "../tokenizer/trim/id-fields.ts";
import type { Renumbering } from "../tokenizer/trim/renumbering.ts";
import { namedInFile, trimmerOf } from "../tokenizer/trim/trim-files.ts";
import { namedGgufIds, trimGgufVocabulary } from "../tokenizer/trim/trim-gguf.ts";
import { vocabularyTensors } from "./locate-tensors.ts";
import type { Model } from "./model.ts";
import { renderConfig } from "./write/pruned-config.ts";

/** Rows of the source that are read at once to pick some of them. */
const SPAN = 4096;

/** Files with ids of tokens beside the tokenizer's own. */
const SETTINGS = ["config.json", "generation_config.json"];
const TOKENIZER_LISTS = ["tokenizer_config.json", "added_tokens.json"];

/** Ids that the files or the header of a checkpoint name, of tokens that must stay. */
export async function namedIds(checkpoint: Checkpoint): Promise<number[]> {
  if (checkpoint.format === "gguf") return namedGgufIds(checkpoint.metadata);
  const ids: number[] = [];
  for (const file of SETTINGS) ids.push(...namedTokenIds((await readJsonObject(checkpoint, file)) ?? {}));
  for (const file of TOKENIZER_LISTS) {
    const text = await checkpoint.readText(file);
    if (text !== undefined) ids.push(...namedInFile(file, text));
  }
  return ids;
}

/**
 * The checkpoint of a model with the tokens of `renumbering` alone; closing it closes the source.
 *
 * @param json the tokenizer as it was
 */
export async function cutVocabulary(model: Model, json: TokenizerJson, renumbering: Renumbering): Promise<Checkpoint> {
  const { checkpoint, spec } = model;
  const kept = Int32Array.from(renumbering.kept.filter((id) => id < spec.vocabSize));
  const rows = { before: spec.vocabSize, after: kept.length };
  const names = new Set(vocabularyTensors(checkpoint, spec));
  const files = await trimFiles(checkpoint, { json, renumbering, rows });
  return {
    ...checkpoint,
    ...withRows(checkpoint, names, kept),
    ...withHeader(checkpoint, renumbering),
    ...(checkpoint.folder && withFiles(checkpoint, checkpoint.folder, files)),
    fingerprint: async () => digest(await checkpoint.fingerprint(), kept),
  };
}

/** The tensors, some of them with the rows `kept` alone. */
function withRows(
  checkpoint: Checkpoint,
  names: ReadonlySet<string>,
  kept: Int32Array,
): Pick<Checkpoint, "tensors" | "read" | "readRows" | "readRowBytes"> {
  const shorten = (info: TensorInfo): TensorInfo => ({
    ...info,
    shape: [kept.length, ...info.shape.slice(1)],
    byteLength: (info.byteLength / info.shape[0]!) * kept.length,
  });
  const readRows = (name: string, start: number, end: number): Promise<Float32Array> =>
    names.has(name)
      ? gather(kept.subarray(start, end), Float32Array, (from, to) => checkpoint.readRows(name, from, to))
      : checkpoint.readRows(name, start, end);
  return {
    tensors: new Map(Array.from(checkpoint.tensors, ([name, info]) => [name, names.has(name) ? shorten(info) : info])),
    read: async (name) => (names.has(name) ? readRows(name, 0, kept.length) : checkpoint.read(name)),
    readRows,
    readRowBytes: async (name, start, end) =>
      names.has(name)
        ? gather(kept.subarray(start, end), Uint8Array, (from, to) => checkpoint.readRowBytes(name, from, to))
        : checkpoint.readRowBytes(name, start, end),
  };
}

/** The rows of ascending numbers, read in spans and put side by side. */
async function gather<R extends Float32Array | Uint8Array>(
  rows: Int32Array,
  type: new (length: number) => R,
  read: (start: number, end: number) => Promise<R>,
): Promise<R> {
  let all: R | undefined;
  let at = 0;
  for (let next = 0; next < rows.length; ) {
    const first = rows[next]!;
    let after = next;
    while (after < rows.length && rows[after]! < first + SPAN) after++;
    const some = rows.subarray(next, after);
    const span = await read(first, some.at(-1)! + 1);
    const rowSize = span.length / (some.at(-1)! + 1 - first);
    all ??= new type(rows.length * rowSize);
    all.set(
      gatherRows(
        span,
        rowSize,
        some.map((row) => row - first),
      ),
      at,
    );
    at += some.length * rowSize;
    next = after;
  }
  return all ?? new type(0);
}

/** The header of a GGUF file with the vocabulary cut. */
function withHeader(
  { metadata, readMetadata }: Checkpoint,
  renumbering: Renumbering,
): Pick<Checkpoint, "metadata" | "readMetadata"> {
  const changes = trimGgufVocabulary(metadata, renumbering);
  const entries = Array.from(metadata, ([key, value]): [string, MetadataValue | undefined] =>
    changes.has(key) ? [key, changes.get(key)?.[1]] : [key, value],
  );
  return {
    metadata: new Map(entries.filter((entry): entry is [string, MetadataValue] => entry[1] !== undefined)),
    readMetadata: async (key) => {
      const changed = changes.get(key);
      return changed === undefined ? readMetadata(key) : ggufValue(...changed);
    },
  };
}

interface FileCut {
  readonly json: TokenizerJson;
  readonly renumbering: Renumbering;
  readonly rows: { readonly before: number; readonly after: number };
}

/** The files that change, as they become; undefined for those that go. */
async function trimFiles(
  checkpoint: Checkpoint,
  { json, renumbering, rows }: FileCut,
): Promise<Map<string, Uint8Array | undefined>> {
  const files = new Map<string, Uint8Array | undefined>();
  const { folder } = checkpoint;
  if (folder === undefined) return files;
  const put = (name: string, content: string | Uint8Array | undefined): void => {
    files.set(name, typeof content === "string" ? new TextEncoder().encode(content) : content);
  };
  for (const name of checkpoint.files) {
    const trim = trimmerOf(name);
    if (trim !== undefined) put(name, trim({ bytes: await wholeFile(folder, name), json, renumbering }));
    if (!SETTINGS.includes(name)) continue;
    const text = await readText(folder, name);
    const settings: unknown = JSON.parse(text);
    if (isObject(settings)) put(name, renderConfig(trimSettings(settings, renumbering, rows), text));
  }
  return files;
}

async function wholeFile(folder: SourceFolder, name: string): Promise<Uint8Array> {
  const source = await folder.open(name);
  try {
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

/** A folder in which some files say something else, or are not there. */
function withFiles(
  { files, readText: readOwn }: Checkpoint,
  folder: SourceFolder,
  changed: ReadonlyMap<string, Uint8Array | undefined>,
): Pick<Checkpoint, "files" | "folder" | "readText"> {
  const isHere = (name: string): boolean => !changed.has(name) || changed.get(name) !== undefined;
  return {
    files: files.filter(isHere),
    readText: async (name) => {
      const bytes = changed.get(name);
      return bytes ? new TextDecoder().decode(bytes) : isHere(name) ? readOwn(name) : undefined;
    },
    folder: {
      name: folder.name,
      list: async (subfolder) => (await folder.list(subfolder)).filter((name) => subfolder || isHere(name)),
      subfolders: (subfolder) => folder.subfolders(subfolder),
      open: async (name) => {
        const bytes = changed.get(name);
        return bytes ? memorySource(`${folder.name}/${name}`, bytes) : folder.open(name);
      },
    },
  };
}

const memorySource = (name: string, bytes: Uint8Array): ByteSource => ({
  name,
  size: bytes.length,
  read: async (start, end) => bytes.subarray(start, end),
  close: async () => {},
});

/** A name for the source and what is left of it. */
async function digest(fingerprint: string, kept: Int32Array): Promise<string> {
  const text = new TextEncoder().encode(`${fingerprint} ${kept.join()}`);
  const bytes = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", text));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
