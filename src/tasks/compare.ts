// Many methods at many sizes on the same texts: cell by cell, each pruned, judged, recorded and forgotten. What is recorded is not
// computed again.
import { CompError } from "../errors.ts";
import type { StageEvent } from "../events/common.ts";
import type { CellFailure, CellResult, ComparedCell, CompareEvent, Comparison, JudgedText } from "../events/compare.ts";
import type { EvalResult } from "../events/model.ts";
import type { PruneResult } from "../events/prune.ts";
import type { CompareOptions } from "../options/compare.ts";
import type { Judging } from "../options/eval.ts";
import { type PresetName, presets } from "../options/presets.ts";
import type { CalibrationText } from "../options/prune.ts";
import { joinDocuments } from "../texts/documents.ts";
import { VERSION } from "../version.ts";

export interface ComparisonRequest {
  readonly options: CompareOptions;
  readonly calibration: readonly CalibrationText[];
  /** What the models are judged on. */
  readonly texts: readonly CalibrationText[];
  readonly dense: Pick<Comparison, "model" | "fingerprint" | "dense">;
}

/** What the comparison needs of the machine that it runs on. */
export interface CompareHost {
  /** Prunes the dense model, so that the memory it takes does not add to that of other cells. */
  prune(cell: ComparedCell, report: (event: StageEvent) => void): Promise<PrunedCell>;
  /** Compares the model at a path with the dense one. */
  judge(
    path: string,
    text: CalibrationText,
    options: Judging,
    report: (event: StageEvent) => void,
  ): Promise<EvalResult>;
  /** The model at a path is not needed any more. */
  discard(path: string): Promise<void>;
  recall(key: string): Promise<string | undefined>;
  /** Keeps a text under a key, whole or not at all. */
  record(key: string, text: string): Promise<void>;
  /** Shows what is known so far; called after each cell. */
  publish(comparison: Comparison): Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

export interface PrunedCell {
  readonly path: string;
  readonly result: PruneResult;
}

/** All cells in order of sparsity. A cell that fails is recorded by what it said. */
export async function comparePresets(
  request: ComparisonRequest,
  host: CompareHost,
  report: (event: CompareEvent) => void,
): Promise<Comparison> {
  const cells = cellsOf(request.options);
  const results: (CellResult | CellFailure)[] = [];
  for (const [index, cell] of cells.entries()) {
    host.signal?.throwIfAborted();
    report({ type: "cell", number: index + 1, total: cells.length, ...cell });
    const key = await cellKey(request, cell);
    const known = await host.recall(key);
    const result = known === undefined ? await runCell(request, host, cell, report) : (JSON.parse(known) as CellResult);
    // a failure shows at once and may have passed by the next time: an out-of-reach sparsity costs nothing to ask for again
    if (known === undefined && !("failure" in result))
      await host.record(key, `${JSON.stringify(result, undefined, 2)}\n`);
    results.push(result);
    const comparison = comparisonOf(request, results);
    await host.publish(comparison);
    report({ type: "result", comparison, reused: known !== undefined });
  }
  return comparisonOf(request, results);
}

/** @throws {CompError} "option" for a name that no preset has */
export function parsePresets(list: string): PresetName[] {
  const known = Object.keys(presets) as PresetName[];
  if (list === "all") return known;
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !(known as string[]).includes(name));
  if (unknown === undefined) return [...new Set(names)] as PresetName[];
  throw new CompError("option", `there is no preset ${unknown}`, { hint: `the presets are ${known.join(", ")}` });
}

const cellsOf = ({ presets: list, sparsity }: CompareOptions): ComparedCell[] =>
  [...new Set(sparsity)]
    .sort((a, b) => a - b)
    .flatMap((fraction) => parsePresets(list).map((preset) => ({ preset, sparsity: fraction })));

const comparisonOf = (
  { options, calibration, dense }: ComparisonRequest,
  cells: readonly (CellResult | CellFailure)[],
): Comparison => ({
  comp: VERSION,
  ...dense,
  options,
  calibration: calibration.map(({ name }) => name),
  cells: [...cells],
});

async function runCell(
  request: ComparisonRequest,
  host: CompareHost,
  cell: ComparedCell,
  report: (event: StageEvent) => void,
): Promise<CellResult | CellFailure> {
  let pruned: PrunedCell;
  try {
    pruned = await host.prune(cell, report);
  } catch (error) {
    if (host.signal?.aborted || !(error instanceof CompError)) throw error;
    return { ...cell, failure: error.message };
  }
  const { context, windows, bos } = request.options;
  const texts: JudgedText[] = [];
  try {
    for (const text of request.texts)
      texts.push(withoutModel(await host.judge(pruned.path, text, { context, windows, bos }, report)));
  } finally {
    await host.discard(pruned.path);
  }
  const { parameters, decoderParameters, bytes, sparsity: reached, seconds, peakBytes } = pruned.result;
  const sizes = { parameters: parameters.after, decoderParameters: decoderParameters.after, bytes: bytes.after };
  return { ...cell, reached, ...sizes, seconds, peakBytes, texts };
}

const withoutModel = ({ model: _, ...judged }: EvalResult): JudgedText => judged;

/** A name for everything that a cell's figures depend on; the device and its threads are not among it. */
async function cellKey({ options, calibration, texts, dense }: ComparisonRequest, cell: ComparedCell): Promise<string> {
  const { presets: _, sparsity: __, threads: ___, device: ____, ...settings } = options;
  const hashes = (list: readonly CalibrationText[]): Promise<string[]> =>
    Promise.all(list.map((text) => sha256(`${text.name}\n${joinDocuments(text)}`)));
  const inputs = [await hashes(calibration), await hashes(texts)];
  const all = JSON.stringify([VERSION, dense.fingerprint, cell, Object.entries(settings).sort(), inputs]);
  return `${cell.preset}-${cell.sparsity}-${(await sha256(all)).slice(0, 12)}`;
}

async function sha256(text: string): Promise<string> {
  const bytes = await globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
