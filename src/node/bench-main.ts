// One measurement of a model's speed, in a process of its own, so that its memory is its own too. One message comes in, the job, and
// one goes out. Nobody imports this file for its values: `fork` starts it (bench.ts).
import { freemem } from "node:os";
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import type { EngineName, Speed } from "../events/bench.ts";
import { openModel } from "../model/model.ts";
import type { BenchOptions } from "../options/bench.ts";
import { benchTokens, measureSpeed } from "../tasks/bench.ts";
import { nodeBackend, peakBytes, RESIDENT_SHARE } from "./host.ts";
import { withPaths } from "./open-path.ts";
import { ANY_MEMORY, startLlamaCpp } from "./start-llama-cpp.ts";

export interface BenchJob {
  readonly path: string;
  readonly engine: EngineName;
  readonly extent: Pick<BenchOptions, "promptTokens" | "tokens">;
  readonly threads: number;
}

export type BenchMessage =
  | { readonly type: "speed"; readonly speed: Speed }
  /** The engine is not here, or does not run the model. */
  | { readonly type: "failure"; readonly message: string };

type Rates = Omit<Speed, "peakBytes">;

const ENGINES: Readonly<Record<EngineName, (job: BenchJob) => Promise<Rates>>> = {
  comp: ({ path, extent, threads }) =>
    withPaths(async (open) => {
      const model = await openModel(await open(path));
      const budgetBytes = RESIDENT_SHARE * freemem();
      return measureSpeed({ backend: nodeBackend(threads), model, extent, budgetBytes, now: seconds });
    }),
  "llama.cpp": measureLlamaCpp,
};

process.on("SIGINT", () => {}); // a terminal sends it to the parent too, which decides
process.on("disconnect", () => process.exit());

process.once("message", async (job: BenchJob) => {
  const answer = await answerTo(job);
  process.send!(answer, () => process.exit());
});

async function answerTo(job: BenchJob): Promise<BenchMessage> {
  try {
    const rates = await ENGINES[job.engine](job);
    return { type: "speed", speed: { ...rates, peakBytes: peakBytes() } };
  } catch (error) {
    return { type: "failure", message: (error as Error).message.split("\n", 1)[0]! };
  }
}

async function measureLlamaCpp({ path, extent, threads }: BenchJob): Promise<Rates> {
  const { promptTokens, tokens } = extent;
  const llama = await startLlamaCpp(threads);
  if (typeof llama === "string") throw new Error(llama);
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0, ...ANY_MEMORY });
  const contextSize = promptTokens + tokens + 64;
  const context = await model.createContext({ contextSize, batchSize: promptTokens, threads, ...ANY_MEMORY });
  const sequence = context.getSequence();
  const prompt = [...benchTokens(model.fileInfo.metadata.tokenizer.ggml.tokens.length, promptTokens)] as Token[];
  const read = async (): Promise<number> => {
    await sequence.clearHistory();
    return timed(() => sequence.evaluateWithoutGeneratingNewTokens(prompt));
  };
  await read();
  await generate(sequence, prompt[0]!, 1);
  const prefill = promptTokens / (await read());
  return { prefill, decode: tokens / (await timed(() => generate(sequence, prompt[0]!, tokens))) };
}

/** Tokens one at a time, logits of the next one after each. */
async function generate(sequence: LlamaContextSequence, token: Token, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await sequence.controlledEvaluate([[token, { generateNext: { token: true } }]]);
}

const seconds = (): number => performance.now() / 1000;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = seconds();
  await work();
  return seconds() - start;
}
