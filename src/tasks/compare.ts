// Many methods at many sizes on the same texts, beside what one could have instead: cell by cell, each made, judged, recorded and
// forgotten. What is recorded is not computed again.
import { CompError } from "../errors.ts";
import type { ComparedCell, ComparedSubject, CompareEvent, Comparison } from "../events/compare.ts";
import type { CompareOptions } from "../options/compare.ts";
import { parseDtypes } from "../options/dtypes.ts";
import { type PresetName, presets } from "../options/presets.ts";
import type { CalibrationText } from "../options/prune.ts";
import { joinDocuments } from "../texts/documents.ts";
import { VERSION } from "../version.ts";
import { type ComparedRow, type CompareHost, type ComparisonRequest, rowsOf } from "./compare-rows.ts";

/** Quantizations first, then other models, then all presets in order of sparsity. A cell that fails is recorded by what it said. */
export async function comparePresets(
  request: ComparisonRequest,
  host: CompareHost,
  report: (event: CompareEvent) => void,
): Promise<Comparison> {
  const subjects = subjectsOf(request);
  const rows: ComparedRow[] = [];
  for (const [index, subject] of subjects.entries()) {
    host.signal?.throwIfAborted();
    report({ type: "cell", number: index + 1, total: subjects.length, ...subject });
    const key = await recordKey(request, subject);
    const known = await host.recall(key);
    const found =
      known === undefined ? await rowsOf(request, host, subject, report) : (JSON.parse(known) as ComparedRow[]);
    // a failure shows at once and may have passed by the next time: an out-of-reach sparsity costs nothing to ask for again
    if (known === undefined && !found.some((row) => "failure" in row))
      await host.record(key, `${JSON.stringify(found, undefined, 2)}\n`);
    rows.push(...found);
    const comparison = comparisonOf(request, rows);
    await host.publish(comparison);
    report({ type: "result", comparison, reused: known !== undefined });
  }
  return comparisonOf(request, rows);
}

/** "all" are those that any model can be cut by. @throws {CompError} "option" for a name that no preset has */
export function parsePresets(list: string): PresetName[] {
  const known = Object.keys(presets) as PresetName[];
  if (list === "all") return known.filter((name) => presets[name].cuts !== "experts");
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(known as string[]).includes(name));
  if (unknown === undefined) return [...new Set(names)] as PresetName[];
  throw new CompError("option", `there is no preset ${unknown}`, { hint: `the presets are ${known.join(", ")}` });
}

const subjectsOf = ({ options, others }: ComparisonRequest): ComparedSubject[] => [
  ...parseDtypes(options.quantized).map((quantized) => ({ quantized })),
  ...others.map(({ against }) => ({ against })),
  ...cellsOf(options),
];

const cellsOf = ({ presets: list, sparsity }: CompareOptions): ComparedCell[] =>
  [...new Set(sparsity)]
    .sort((a, b) => a - b)
    .flatMap((fraction) => parsePresets(list).map((preset) => ({ preset, sparsity: fraction })));

const comparisonOf = (
  { options, calibration, dense }: ComparisonRequest,
  rows: readonly ComparedRow[],
): Comparison => ({
  comp: VERSION,
  ...dense,
  options,
  calibration: calibration.map(({ name }) => name),
  quantized: rows.filter((row) => "quantized" in row),
  against: rows.filter((row) => "against" in row),
  cells: rows.filter((row) => "preset" in row),
});

/** A name for everything that the figures of a subject depend on; the device and its threads are not among it. */
async function recordKey(request: ComparisonRequest, subject: ComparedSubject): Promise<string> {
  const { options, calibration, texts, dense, others } = request;
  const { context, windows, bos } = options;
  const judged = [VERSION, await hashesOf(texts)];
  if ("quantized" in subject)
    return keyOf(`quantized-${subject.quantized}`, [judged, dense.fingerprint, context, windows, bos]);
  if ("against" in subject) {
    const at = others.findIndex(({ against }) => against === subject.against);
    return keyOf(`against-${at}`, [judged, others[at]!.fingerprint, dense.fingerprint, context, windows, bos]);
  }
  const { presets: _, sparsity: __, threads: ___, device: ____, quantized: _____, ...settings } = options;
  const inputs = [judged, dense.fingerprint, subject, Object.entries(settings).sort(), await hashesOf(calibration)];
  return keyOf(`${subject.preset}-${subject.sparsity}`, inputs);
}

const keyOf = async (name: string, inputs: readonly unknown[]): Promise<string> =>
  `${name}-${(await sha256(JSON.stringify(inputs))).slice(0, 12)}`;

const hashesOf = (list: readonly CalibrationText[]): Promise<string[]> =>
  Promise.all(list.map((text) => sha256(`${text.name}\n${joinDocuments(text)}`)));

async function sha256(text: string): Promise<string> {
  const bytes = await globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
