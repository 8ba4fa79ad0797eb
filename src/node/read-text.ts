// Texts on this machine: paths in, texts with their documents out.
import { stat } from "node:fs/promises";
import { CompError } from "../errors.ts";
import type { CalibrationText } from "../options/prune.ts";
import { openFile } from "./open-path.ts";

/**
 * A text to calibrate on or to judge by: plain text, JSON Lines (.jsonl, .ndjson) or a JSON array (.json) of rows with `text` or
 * `messages`, CSV (.csv, .tsv) with a column `text`, or Parquet; in UTF-8 or UTF-16, any of them packed by gzip.
 *
 * @throws {CompError} "calibration" when there is no such file, it is none of these, or a row of it holds no text
 */
export async function readText(path: string): Promise<CalibrationText> {
  await requireFile(path);
  const source = await openFile(path).catch((cause: unknown) => {
    throw cause instanceof CompError ? new CompError("calibration", cause.message, { cause }) : cause;
  });
  try {
    const { readSource } = await import("../texts/read-source.ts"); // with a reader of Parquet, which few runs need
    return await readSource(source);
  } finally {
    await source.close();
  }
}

/** Texts in the order given, one after the other. @throws {CompError} as `readText` */
export async function readTexts(paths: readonly string[]): Promise<CalibrationText[]> {
  const texts: CalibrationText[] = [];
  for (const path of paths) texts.push(await readText(path));
  return texts;
}

async function requireFile(path: string): Promise<void> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new CompError("calibration", `there is no text file ${path}`, { cause });
  });
  if (facts.isFile()) return;
  throw new CompError(
    "calibration",
    `${path} is ${facts.isDirectory() ? "a folder" : "no regular file"}, not a text file`,
    {
      hint: facts.isDirectory() ? "give the files in it, one by one" : "write the text to a file first",
    },
  );
}
