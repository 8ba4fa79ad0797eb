// What the method asks of a machine, on this one.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { freemem } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { SweepHost } from "../host.ts";
import { nodeBackend } from "./backend.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { freeBytes } from "./disk.ts";
import { peakBytes } from "./peak-memory.ts";
import { scratchFolder } from "./scratch-folder.ts";

/** Weights that may stay in memory while the model writes its own calibration text, whatever the machine has. */
const RESIDENT_BUDGET_BYTES = 2 ** 30;

const BUNDLED_TEXT = new URL("../../data/calibration-mix.txt", import.meta.url);

export interface HostRequest extends Pick<SweepHost, "outputFormat" | "signal"> {
  /** Where the output goes; it need not exist yet. */
  readonly place: string;
  readonly threads: number | undefined;
}

export function nodeHost({ outputFormat, place, threads, signal }: HostRequest): SweepHost {
  return {
    backend: nodeBackend(threads),
    outputFormat,
    createScratch: scratchFolder,
    freeBytes: () => freeBytes(existingParent(place)).catch(() => undefined),
    bundledText: async () => ({ name: "bundled mix", text: await readFile(fileURLToPath(BUNDLED_TEXT), "utf8") }),
    collectGarbage,
    residentBudgetBytes: Math.min(RESIDENT_BUDGET_BYTES, 0.5 * freemem()),
    residentBytes: () => process.memoryUsage.rss(),
    peakBytes,
    now: () => performance.now() / 1000,
    signal,
  };
}

function existingParent(path: string): string {
  const absolute = resolve(path);
  return existsSync(absolute) ? absolute : existingParent(dirname(absolute));
}
