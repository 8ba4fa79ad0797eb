// Figures as people read them, and when they are past all use. Units appear here and nowhere else; everything before this is a
// plain number.
import type { DeviceName } from "../options/common.ts";

/** 134515008 → "134.5 M". */
export function formatCount(count: number): string {
  const [unit, size] = largestUnit(count, ["", " k", " M", " B"]);
  return unit === "" ? String(count) : `${(count / size).toFixed(1)}${unit}`;
}

/** 812300000 → "812.3 MB"; decimal units, as disks are sold. */
export function formatBytes(bytes: number): string {
  const [unit, size] = largestUnit(bytes, [" B", " kB", " MB", " GB", " TB"]);
  return unit === " B" ? `${bytes} B` : `${(bytes / size).toFixed(1)}${unit}`;
}

/** 0.2034 → "20.3 %". */
export const formatPercent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

/** 8.43 → "8.4 s", 151 → "2 min 31 s", 3725 → "1 h 02 min". */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pad = (part: number) => String(part).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** Four significant digits, for perplexities, divergences and errors: 0.4021, 27.31, 1.5e+6. */
export const formatFigure = (value: number): string =>
  value === 0 || (value >= 1e-4 && value < 1e6) ? String(Number(value.toPrecision(4))) : value.toExponential(1);

/** 32768 → "32,768". */
export const formatInteger = (count: number): string => count.toLocaleString("en-US");

/** So many times the dense model's perplexity, and a model is of no use for anything that the text stands for. */
const COLLAPSE = 10;

/** Says so in words when a model has collapsed, else nothing. */
export function describeCollapse(perplexity: number, densePerplexity: number): string {
  const ratio = perplexity / densePerplexity;
  return ratio < COLLAPSE ? "" : `collapsed: ${formatInteger(Math.round(ratio))} times the dense perplexity`;
}

/** What a table was made by: figures differ by their last digits between machines, and by more between versions and seeds. */
export const describeMaking = (
  version: string,
  { seed, device, cores }: { readonly seed: number; readonly device: DeviceName; readonly cores: number },
): string => `comp ${version}, seed ${seed}, ${cores} processor cores${describeDevice(device)}`;

/** Where it was not the processor that computed, which did. */
export const describeDevice = (device: DeviceName): string => (device === "cpu" ? "" : ` on ${device}`);

function largestUnit(value: number, units: readonly string[]): [unit: string, size: number] {
  let index = 0;
  while (index < units.length - 1 && value >= 1000 ** (index + 1)) index++;
  return [units[index]!, 1000 ** index];
}
