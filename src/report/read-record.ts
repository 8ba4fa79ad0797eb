// What a model that COMP has written tells of its making. Files are untrusted: what is not as we write it is as if it were not there.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { RECORD } from "../model/write/companions.ts";

/** The texts that a model was calibrated on. */
export interface RecordedTexts {
  readonly names: readonly string[];
  /** As `sketchPassages` makes it. */
  readonly sketch: string;
}

/** Of a folder from pruning.json, of a GGUF file from its header; undefined where nothing is told. */
export async function recordedTexts({ readText, metadata }: Checkpoint): Promise<RecordedTexts | undefined> {
  const entry = metadata.get("comp.calibration");
  const record = await readText(RECORD).catch(() => undefined);
  const calibration = typeof entry === "string" ? parsed(entry) : propertiesOf(parsed(record ?? "")).calibration;
  const { names, passages: sketch } = propertiesOf(calibration);
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) return undefined;
  return typeof sketch === "string" ? { names, sketch } : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const propertiesOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
