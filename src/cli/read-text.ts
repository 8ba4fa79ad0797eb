// Text files named on the command line, read whole.
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { CompError } from "../errors.ts";
import type { CalibrationText } from "../options/prune.ts";

// far more than any calibration draws on, and below the longest string that JavaScript holds
const MAX_TEXT_BYTES = 256e6;

/** @throws {CompError} "calibration" when the file is absent, not a file, too large or not UTF-8. */
export async function readTextFile(path: string): Promise<CalibrationText> {
  const facts = await stat(path).catch((cause) => {
    throw new CompError("calibration", `there is no text file ${path}`, { cause });
  });
  if (!facts.isFile()) throw new CompError("calibration", `${path} is not a text file`);
  if (facts.size > MAX_TEXT_BYTES)
    throw new CompError("calibration", `${path} has more than ${MAX_TEXT_BYTES / 1e6} MB of text`, {
      hint: "give a part of it; some hundred kilobytes suffice",
    });
  try {
    return { name: basename(path), text: new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path)) };
  } catch (cause) {
    throw new CompError("calibration", `${path} cannot be read as UTF-8 text`, { cause });
  }
}
