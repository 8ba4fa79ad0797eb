// A GGUF model in several files, NAME-00001-of-0000N.gguf and so on, as llama-gguf-split and the gguf package write it: the first
// holds the metadata, each of them tensors of its own and the keys split.* that say which part it is.
import { CompError } from "../errors.ts";
import type { MetadataValue } from "./checkpoint.ts";
import { baseName } from "./storage.ts";
import type { ParsedFile } from "./stored-tensors.ts";

const PART_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
/** How many missing parts an error names. */
const LISTED = 3;

/** A part with its header read. */
export interface SplitPart extends ParsedFile {
  readonly metadata: ReadonlyMap<string, MetadataValue>;
}

const partName = (prefix: string, number: number, count: number): string =>
  `${prefix}-${String(number).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;

/**
 * The names of all parts of the split that a file is one of, the first part first; undefined for a whole model.
 * @throws {CompError} "checkpoint" when the file is not named as a part, so that the others cannot be found
 */
export function partFiles({ source, metadata }: SplitPart): string[] | undefined {
  const count = metadata.get("split.count");
  if (typeof count !== "number" || count <= 1) return undefined;
  const [, prefix, , stated] = PART_NAME.exec(baseName(source.name)) ?? [];
  if (prefix !== undefined && Number(stated) === count)
    return Array.from({ length: count }, (_, index) => partName(prefix, index + 1, count));
  throw new CompError("checkpoint", `${source.name} is one of ${count} parts of a split GGUF, but not named as one`, {
    hint: `name the parts ${partName("NAME", 1, count)} and so on, or join them with llama-gguf-split --merge`,
  });
}

/** @throws {CompError} "checkpoint" naming the parts that do not lie beside `part`, in a folder whose files are `present` */
export function checkPartsPresent(part: string, parts: readonly string[], present: readonly string[]): void {
  const missing = parts.filter((file) => !present.includes(file));
  if (missing.length === 0) return;
  const listed = missing.slice(0, LISTED).join(", ") + (missing.length > LISTED ? ", …" : "");
  const are = missing.length > 1 ? "are" : "is";
  throw new CompError(
    "checkpoint",
    `${part} is one of ${parts.length} parts of a split GGUF; ${listed} ${are} missing`,
    {
      hint: "complete the download: all parts have to lie in one folder",
    },
  );
}

/** @throws {CompError} "checkpoint" when parts say that they are others than their names have it, or tensors are missing */
export function checkParts(parts: readonly SplitPart[]): void {
  for (const [index, { source, metadata }] of parts.entries()) {
    const [number, count] = [metadata.get("split.no"), metadata.get("split.count")];
    if (number !== index || count !== parts.length)
      throw mixedUp(
        `${source.name} says split.no ${number} and split.count ${count}, not ${index} and ${parts.length}`,
      );
  }
  const stated = parts[0]!.metadata.get("split.tensors.count");
  const found = parts.reduce((sum, { tensors }) => sum + tensors.length, 0);
  if (stated !== undefined && stated !== found)
    throw mixedUp(
      `${parts[0]!.source.name} says split.tensors.count ${stated}, its ${parts.length} parts have ${found}`,
    );
}

const mixedUp = (what: string): CompError =>
  new CompError("checkpoint", what, { hint: "download all parts of the same model again, under their own names" });

/** The GGUF models among the files of a folder, a split one by the first of its parts that is there. `files` are sorted. */
export function ggufModels(files: readonly string[]): string[] {
  const models = new Map<string, string>();
  for (const file of files.filter((name) => name.endsWith(".gguf"))) {
    const [, prefix, , count] = PART_NAME.exec(file) ?? [];
    const model = prefix === undefined ? file : partName(prefix, 1, Number(count));
    if (!models.has(model)) models.set(model, file);
  }
  return [...models.values()];
}
