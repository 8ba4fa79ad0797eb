// llama.cpp in a process of its own: the side of that process. One message comes in, the job, and one goes out; what llama.cpp
// complains of goes to stderr. Nobody imports this file for its values: `fork` starts it (llama-cpp.ts).
import type { LlamaModel, Token } from "node-llama-cpp";
import { ANY_MEMORY, startLlamaCpp } from "./start-llama-cpp.ts";

export interface LlamaCppJob {
  readonly path: string;
  /** BOS included where there is to be one: llama.cpp adds none. */
  readonly ids: readonly number[];
  /** The greedy choice is wanted after each of the last so many. */
  readonly count: number;
  readonly threads: number;
}

export type LlamaCppMessage =
  | { readonly type: "tokens"; readonly firstTokens: readonly number[] }
  /** There is no llama.cpp to ask. */
  | { readonly type: "absent"; readonly reason: string }
  /** It refused the file. */
  | { readonly type: "failure"; readonly message: string };

process.on("SIGINT", () => {}); // a terminal sends it to the parent too, which decides
process.on("disconnect", () => process.exit());

process.once("message", async (job: LlamaCppJob) => {
  const answer = await answerTo(job);
  await new Promise((resolve) => setImmediate(resolve)); // what llama.cpp says comes later than what it does
  process.send!(answer, () => process.disconnect());
});

async function answerTo(job: LlamaCppJob): Promise<LlamaCppMessage> {
  const llama = await startLlamaCpp(job.threads);
  if (typeof llama === "string") return { type: "absent", reason: llama };
  try {
    const model = await llama.loadModel({ modelPath: job.path, gpuLayers: 0, ...ANY_MEMORY });
    return { type: "tokens", firstTokens: await greedyChoices(model, job) };
  } catch (error) {
    return { type: "failure", message: (error as Error).message };
  }
}

async function greedyChoices(model: LlamaModel, { ids, count, threads }: LlamaCppJob): Promise<number[]> {
  const size = { contextSize: ids.length + 64, flashAttention: false, threads } as const;
  const context = await model.createContext({ ...size, ...ANY_MEMORY });
  const first = ids.length - count;
  const wanted = { generateNext: { logits: true } } as const;
  const input = ids.map((id, i) => (i < first ? (id as Token) : ([id as Token, wanted] as [Token, typeof wanted])));
  const outputs = await context.getSequence().controlledEvaluate(input);
  return outputs.slice(first).map((output) => likeliest(output!.next.logits!));
}

function likeliest(logits: ReadonlyMap<Token, number>): number {
  let best: [id: number, logit: number] = [0, Number.NEGATIVE_INFINITY];
  for (const [id, logit] of logits) if (logit > best[1]) best = [id, logit];
  return best[0];
}
