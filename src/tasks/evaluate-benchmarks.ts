// Judges a model on benchmarks: finds their questions below a folder, asks for the likelihoods of all choices, counts.
import type { Question } from "../benchmarks/benchmark.ts";
import { findRows, listDataFiles } from "../benchmarks/find-rows.ts";
import { type BenchmarkName, benchmarkOf } from "../benchmarks/index.ts";
import type { SourceFolder } from "../checkpoint/storage.ts";
import type { Backend } from "../compute/backend.ts";
import { type EncodedRequest, encodeRequest } from "../evaluate/encode-requests.ts";
import { logLikelihoods } from "../evaluate/likelihoods.ts";
import { figuresOf, scoreItem } from "../evaluate/score.ts";
import type { StageEvent } from "../events/common.ts";
import type { TaskEvent, TaskFigures } from "../events/model.ts";
import type { Model } from "../model/model.ts";
import { checkEmbedded } from "../tokenizer/embedded.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Each group of questions reads all weights again, but its states have to be held. */
const HIDDEN_BYTES = 128 * 2 ** 20;

export interface BenchmarksRequest {
  readonly backend: Backend;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly names: readonly BenchmarkName[];
  readonly data: SourceFolder;
  /** Questions of each benchmark from its start, 0 for all. */
  readonly limit: number;
  readonly hiddenBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The questions of each benchmark. @throws {CompError} "calibration" when data is missing or no such data */
async function readQuestions({ names, data, limit }: BenchmarksRequest): Promise<Question[][]> {
  const files = await listDataFiles(data);
  const all: Question[][] = [];
  for (const name of names) {
    const benchmark = benchmarkOf(name);
    const rows = await findRows(name, benchmark.files, data, files);
    all.push(rows.slice(0, limit === 0 ? rows.length : limit).map(benchmark.question));
  }
  return all;
}

/**
 * Figures of each benchmark; its items are reported one benchmark after the other, and progress in layers before that.
 *
 * @throws {CompError} "calibration" when data is missing or no such data, or has a token without embedding
 */
export async function evaluateBenchmarks(
  request: BenchmarksRequest,
  report: (event: StageEvent | TaskEvent) => void,
): Promise<Record<string, TaskFigures>> {
  const { backend, model, names, hiddenBytes = HIDDEN_BYTES, signal } = request;
  const questions = await readQuestions(request);
  const encoded = questions.map((own, i) => own.map((question) => encodeQuestion(request, names[i]!, question)));
  const likelihoods = await logLikelihoods(backend, model, encoded.flat(), {
    hiddenBytes,
    onLayer: (done, total) => report({ type: "stage", name: "evaluate", done, total }),
    signal,
  });
  let first = 0;
  return Object.fromEntries(
    names.map((name, i) => {
      const { measure } = benchmarkOf(name);
      const items = questions[i]!.map((question) => scoreItem(measure, question, likelihoods[first++]!));
      report({ type: "task", name, items });
      return [name, figuresOf(measure, items)];
    }),
  );
}

function encodeQuestion(
  { model, tokenizer }: BenchmarksRequest,
  name: string,
  { requests }: Question,
): EncodedRequest[] {
  const { vocabSize, maxPositionEmbeddings } = model.spec;
  return requests.map((request) => {
    const encoded = encodeRequest(tokenizer, request, maxPositionEmbeddings);
    checkEmbedded([...encoded.inputs, ...encoded.targets], vocabSize, tokenizer, name);
    return encoded;
  });
}
