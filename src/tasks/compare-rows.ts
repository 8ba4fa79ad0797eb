// What becomes of one subject of a comparison: made where it has to be, sized, and judged on every text.
import type { BenchmarkName } from "../benchmarks/index.ts";
import { CompError } from "../errors.ts";
import type { StageEvent } from "../events/common.ts";
import type {
  CellFailure,
  CellResult,
  ComparedCell,
  ComparedSubject,
  Comparison,
  JudgedText,
  OtherResult,
  QuantizedResult,
} from "../events/compare.ts";
import type { EvalResult, TaskFigures } from "../events/model.ts";
import type { PruneResult } from "../events/prune.ts";
import type { CompareOptions } from "../options/compare.ts";
import { type DtypeName, parseDtypes } from "../options/dtypes.ts";
import { type Judging, settleJudging } from "../options/protocols.ts";
import type { CalibrationText } from "../options/prune.ts";

export interface ComparisonRequest {
  readonly options: CompareOptions;
  readonly calibration: readonly CalibrationText[];
  /** What judges. */
  readonly machine: Pick<Comparison, "device" | "cores">;
  /** What the models are judged on. */
  readonly texts: readonly CalibrationText[];
  readonly dense: Pick<Comparison, "model" | "fingerprint" | "dense">;
  /** Other models to compare with. */
  readonly others: readonly OtherModel[];
  /** Absent where there are none. */
  readonly tasks?: ComparedTasks | undefined;
}

/** Tasks that every model answers. */
export interface ComparedTasks {
  readonly names: readonly BenchmarkName[];
  /** Questions of each from its start, 0 for all. */
  readonly limit: number;
  /** The folder with their data. */
  readonly data: string;
}

export interface OtherModel extends Omit<OtherResult, "texts"> {
  readonly fingerprint: string;
}

/** A model to judge: the dense one or what stands at a path, as it is or with its values in a type. */
export interface JudgedModel {
  readonly path?: string | undefined;
  readonly dtype?: DtypeName | undefined;
}

/** What the comparison needs of the machine that it runs on. */
export interface CompareHost {
  /** Prunes the dense model, so that the memory it takes does not add to that of other cells. */
  prune(cell: ComparedCell, report: (event: StageEvent) => void): Promise<PrunedCell>;
  /** Compares a model with the dense one. */
  judge(
    model: JudgedModel,
    text: CalibrationText,
    options: Judging,
    report: (event: StageEvent) => void,
  ): Promise<EvalResult>;
  /** Judges another model by itself, on as much of a text as the others see. */
  judgeOther(
    path: string,
    text: CalibrationText,
    options: Judging,
    report: (event: StageEvent) => void,
  ): Promise<EvalResult>;
  /** Asks tasks of a model, in its own tokens. */
  answer(
    model: JudgedModel,
    tasks: ComparedTasks,
    report: (event: StageEvent) => void,
  ): Promise<Readonly<Record<string, TaskFigures>>>;
  /** Bytes of the GGUF file of a model in a type. */
  bytesIn(dtype: DtypeName, path?: string): Promise<number>;
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

/** What is known of a subject. */
export type ComparedRow = QuantizedResult | OtherResult | CellResult | CellFailure;

/** A subject's rows: several where one pruning is judged in several types. A failure is a row that says why. */
export function rowsOf(
  request: ComparisonRequest,
  host: CompareHost,
  subject: ComparedSubject,
  report: (event: StageEvent) => void,
): Promise<ComparedRow[]> {
  if ("quantized" in subject) return quantizedRow(request, host, subject.quantized, report);
  if ("against" in subject) return otherRow(request, host, subject.against, report);
  return cellRows(request, host, subject, report);
}

async function quantizedRow(
  request: ComparisonRequest,
  host: CompareHost,
  dtype: DtypeName,
  report: (event: StageEvent) => void,
): Promise<ComparedRow[]> {
  const bytes = await host.bytesIn(dtype);
  const texts = await onEachText(request, (text, judging) => host.judge({ dtype }, text, judging, report));
  return [{ quantized: dtype, bytes, texts, ...(await answersOf(request, host, { dtype }, report)) }];
}

async function otherRow(
  request: ComparisonRequest,
  host: CompareHost,
  against: string,
  report: (event: StageEvent) => void,
): Promise<ComparedRow[]> {
  const { fingerprint: _, ...facts } = request.others.find((other) => other.against === against)!;
  const texts = await onEachText(request, (text, judging) => host.judgeOther(against, text, judging, report));
  return [{ ...facts, texts, ...(await answersOf(request, host, { path: against }, report)) }];
}

/** One pruning, judged in each type that is asked for. */
async function cellRows(
  request: ComparisonRequest,
  host: CompareHost,
  cell: ComparedCell,
  report: (event: StageEvent) => void,
): Promise<ComparedRow[]> {
  let pruned: PrunedCell;
  try {
    pruned = await host.prune(cell, report);
  } catch (error) {
    return [failureOf(cell, error, host)];
  }
  const dtypes = parseDtypes(request.options.dtypes);
  const rows: ComparedRow[] = [];
  try {
    for (const dtype of dtypes.length === 0 ? [undefined] : dtypes)
      rows.push(await cellRow(request, host, { ...cell, ...(dtype && { dtype }) }, pruned, report));
  } finally {
    await host.discard(pruned.path);
  }
  return rows;
}

type TypedCell = ComparedCell & Pick<CellResult, "dtype">;

async function cellRow(
  request: ComparisonRequest,
  host: CompareHost,
  cell: TypedCell,
  { path, result }: PrunedCell,
  report: (event: StageEvent) => void,
): Promise<CellResult | CellFailure> {
  const { parameters, decoderParameters, bytes, sparsity: reached, seconds, peakBytes } = result;
  const { dtype } = cell;
  try {
    const size = dtype === undefined ? bytes.after : await host.bytesIn(dtype, path);
    const sizes = { parameters: parameters.after, decoderParameters: decoderParameters.after, bytes: size };
    const texts = await onEachText(request, (text, judging) => host.judge({ path, dtype }, text, judging, report));
    const answers = await answersOf(request, host, { path, dtype }, report);
    return { ...cell, reached, ...sizes, seconds, peakBytes, texts, ...answers };
  } catch (error) {
    return failureOf(cell, error, host);
  }
}

/** What a model makes of the tasks, where there are any. */
export async function answersOf(
  { tasks }: ComparisonRequest,
  host: CompareHost,
  model: JudgedModel,
  report: (event: StageEvent) => void,
): Promise<Pick<CellResult, "tasks">> {
  return tasks === undefined ? {} : { tasks: await host.answer(model, tasks, report) };
}

/** @throws the error where it is not the cell's */
function failureOf(cell: TypedCell, error: unknown, { signal }: CompareHost): CellFailure {
  if (signal?.aborted || !(error instanceof CompError)) throw error;
  return { ...cell, failure: error.message };
}

async function onEachText(
  { texts, options: { context, windows, bos } }: ComparisonRequest,
  judge: (text: CalibrationText, judging: Judging) => Promise<EvalResult>,
): Promise<JudgedText[]> {
  const judging = settleJudging({ context, windows, bos });
  const judged: JudgedText[] = [];
  for (const text of texts) judged.push(withoutModel(await judge(text, judging)));
  return judged;
}

const withoutModel = ({ model: _, ...judged }: EvalResult): JudgedText => judged;
