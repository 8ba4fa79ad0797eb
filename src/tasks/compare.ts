// Many methods at many sizes on the same texts, beside what one could have instead: cell by cell, each made, judged, recorded and
// forgotten. What is recorded is not computed again.
import { CompError } from "../errors.ts";
import type { CellResult, ComparedCell, ComparedSubject, CompareEvent, Comparison } from "../events/compare.ts";
import type { CompareOptions } from "../options/compare.ts";
import { parseDtypes } from "../options/dtypes.ts";
import { type PresetName, presets } from "../options/presets.ts";
import type { CalibrationText } from "../options/prune.ts";
import { joinDocuments } from "../texts/documents.ts";
import { VERSION } from "../version.ts";
import { answersOf, type ComparedRow, type CompareHost, type ComparisonRequest, rowsOf } from "./compare-rows.ts";

/** Quantizations first, then other models, then all presets in order of sparsity. A cell that fails is recorded by what it said. */
export async function comparePresets(
  request: ComparisonRequest,
  host: CompareHost,
  report: (event: CompareEvent) => void,
): Promise<Comparison> {
  const subjects = subjectsOf(request);
  const rows: ComparedRow[] = [];
  const answers = await denseAnswers(request, host, report);
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
    const comparison = comparisonOf(request, answers, rows);
    await host.publish(comparison);
    report({ type: "result", comparison, reused: known !== undefined });
  }
  return comparisonOf(request, answers, rows);
}

type Answers = Pick<CellResult, "tasks">;

/** What the dense model makes of the tasks. */
async function denseAnswers(
  request: ComparisonRequest,
  host: CompareHost,
  report: (event: CompareEvent) => void,
): Promise<Answers> {
  const { tasks, dense } = request;
  if (tasks === undefined) return {};
  const key = await keyOf("dense-tasks", [VERSION, dense.fingerprint, tasks]);
  const known = await host.recall(key);
  if (known !== undefined) return JSON.parse(known) as Answers;
  const answers = await answersOf(request, host, {}, report);
  await host.record(key, `${JSON.stringify(answers, undefined, 2)}\n`);
  return answers;
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
  { options, calibration, machine, dense: { dense, ...facts } }: ComparisonRequest,
  answers: Answers,
  rows: readonly ComparedRow[],
): Comparison => ({
  comp: VERSION,
  ...facts,
  dense: { ...dense, ...answers },
  options,
  ...machine,
  calibration: calibration.map(({ name }) => name),
  quantized: rows.filter((row) => "quantized" in row),
  against: rows.filter((row) => "against" in row),
  cells: rows.filter((row) => "preset" in row),
});

/** Options that change no figure of a cell, or stand in its name otherwise. */
const WITHOUT_SAY: ReadonlySet<string> = new Set<keyof CompareOptions>([
  ...(["presets", "sparsity", "threads", "device", "quantized", "tasks", "limit"] as const),
]);

/** A name for everything that the figures of a subject depend on; the device and its threads are not among it. */
async function recordKey(request: ComparisonRequest, subject: ComparedSubject): Promise<string> {
  const { options, calibration, texts, dense, others, tasks } = request;
  const { context, windows, bos } = options;
  const judged = [VERSION, await hashesOf(texts), ...(tasks ? [tasks] : [])];
  if ("quantized" in subject)
    return keyOf(`quantized-${subject.quantized}`, [judged, dense.fingerprint, context, windows, bos]);
  if ("against" in subject) {
    const at = others.findIndex(({ against }) => against === subject.against);
    return keyOf(`against-${at}`, [judged, others[at]!.fingerprint, dense.fingerprint, context, windows, bos]);
  }
  const settings = Object.entries(options).filter(([name]) => !WITHOUT_SAY.has(name));
  const inputs = [judged, dense.fingerprint, subject, settings.sort(), await hashesOf(calibration)];
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
