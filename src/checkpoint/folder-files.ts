// Whole files of a model folder, those beside its weights: read as text, or copied as they are.
import { CompError } from "../errors.ts";
import { checkNoPointer } from "./lfs-pointer.ts";
import type { ByteSink, ByteSource, SourceFolder } from "./storage.ts";

const COPY_BYTES = 8 * 2 ** 20;
/** The largest tokenizer.json known has 40 MB. */
const MAX_TEXT_BYTES = 200_000_000;

/**
 * Opens and closes each of the files, so that one that cannot be read is found before the work.
 * @throws {CompError} "checkpoint" for it, or for the pointer of git-lfs to one that was not downloaded.
 */
export async function checkReadable(folder: SourceFolder, files: readonly string[]): Promise<void> {
  for (const file of files) await withSource(folder, file, checkNoPointer);
}

/** Copies a file into a sink, which stays the caller's to close, a piece at a time. */
export const copyFile = (folder: SourceFolder, file: string, sink: ByteSink): Promise<void> =>
  withSource(folder, file, async (source) => {
    for (let at = 0; at < source.size; at += COPY_BYTES)
      await sink.write(at, await source.read(at, Math.min(at + COPY_BYTES, source.size)));
  });

/** A file as text. @throws {CompError} "checkpoint" as `checkReadable`, or when it is too large to be one. */
export const readText = (folder: SourceFolder, file: string): Promise<string> =>
  withSource(folder, file, async (source) => {
    if (source.size > MAX_TEXT_BYTES)
      throw new CompError("checkpoint", `${source.name} has ${source.size} bytes, too many for a text file of a model`);
    await checkNoPointer(source);
    return new TextDecoder().decode(await source.read(0, source.size));
  });

async function withSource<T>(folder: SourceFolder, file: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = await folder.open(file);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}
