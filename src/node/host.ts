// What the method asks of a machine, on this one: arithmetic, memory, disk, a clock.
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, freemem, tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-node";
import { type Cache, NO_CACHE } from "../cache/cache.ts";
import type { Backend } from "../compute/backend.ts";
import type { DeviceName } from "../compute/device.ts";
import { onnxruntimeBackend } from "../compute/onnxruntime.ts";
import type { CalibrationText } from "../options/prune.ts";
import type { SweepHost } from "../run-context.ts";
import { cacheFolder } from "./cache-folder.ts";
import { cachePlace } from "./cache-place.ts";
import { codeHash } from "./code-hash.ts";
import { collectingBackend } from "./collecting-backend.ts";
import { freeBytes } from "./disk.ts";
import { collectGarbage } from "./garbage.ts";
import { residentScratch } from "./resident-scratch.ts";
import { scratchFolder } from "./scratch-folder.ts";

/** Share of the free memory that weights kept for decoding may take. */
export const RESIDENT_SHARE = 0.6;

const BUNDLED_TEXT = new URL("../../data/calibration-mix.txt", import.meta.url);

/** The text that comes with the package. */
export const bundledText = async (): Promise<CalibrationText> => ({
  name: "bundled mix",
  text: await readFile(fileURLToPath(BUNDLED_TEXT), "utf8"),
});

export interface HostRequest extends Pick<SweepHost, "backend" | "outputFormat" | "signal"> {
  /** Where the output goes; it need not exist yet. */
  readonly place: string;
  readonly threads: number | undefined;
  /** Do without what is known of models, and keep nothing; default false. */
  readonly noCache?: boolean | undefined;
}

/** @throws {CompError} "option" when the environment asks for a cache of no size */
export function nodeHost({ backend, outputFormat, place, threads, noCache = false, signal }: HostRequest): SweepHost {
  return {
    backend,
    outputFormat,
    createScratch: (residentBytes) => residentScratch(residentBytes, scratchFolder()),
    cache: noCache ? NO_CACHE : nodeCache(backend, threads),
    freeBytes: () => freeBytes(existingParent(place)).catch(() => undefined),
    freeScratchBytes: () => freeBytes(tmpdir()).catch(() => undefined),
    bundledText,
    collectGarbage,
    cores: availableParallelism(),
    freeMemoryBytes: freemem,
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

/** onnxruntime on a device, with `threads` threads of the processor; undefined = all of them. */
export function nodeBackend(threads?: number, device?: DeviceName): Backend {
  if (device === "cuda") process.env.NVIDIA_TF32_OVERRIDE ??= "0"; // TF32 has the range of f32, and the precision of f16
  return collectingBackend(onnxruntimeBackend(ort, threads ?? availableParallelism(), device));
}

/** Sums depend by their last bits on the device, on the instructions of the processor, and may on how threads share the work. */
function nodeCache({ device }: Backend, threads: number = availableParallelism()): Cache {
  return cacheFolder(cachePlace(), [codeHash(), device, process.arch, cpus()[0]?.model, threads].join());
}

/**
 * The most memory that this process has held, resident bytes.
 *
 * Linux counts what the parent held into the figure of getrusage, so that a run started by a large process would look
 * large itself; the high-water mark of /proc begins anew with each program.
 */
export function peakBytes(): number {
  const mark = process.platform === "linux" ? highWaterMark() : undefined;
  return 1024 * (mark ?? process.resourceUsage().maxRSS);
}

/** In kibibytes; undefined without /proc. */
function highWaterMark(): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
