// llama.cpp as the judge of GGUF files: its logits for given tokens, its ids for a text.
import { getLlama, type Llama, LlamaLogLevel, type Token } from "node-llama-cpp";

export interface Judgement {
  /** Logits after each token, [tokens][vocabSize]. */
  readonly logits: Float32Array[];
  /** Ids of the text. */
  readonly ids: number[];
}

let llama: Llama | undefined;

/**
 * Loads the file with the prebuilt llama.cpp, on the processor. One thread: several would wait for one another in loops that
 * keep all processors busy, which takes a hundred times as long where other tests run beside it.
 */
export async function judge(path: string, tokens: readonly number[], text: string): Promise<Judgement> {
  llama ??= await getLlama({
    gpu: false,
    maxThreads: 1,
    build: "never",
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
  });
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
  try {
    const context = await model.createContext({
      contextSize: 2 * tokens.length + 64,
      flashAttention: false,
      threads: 1,
    });
    const wanted = { generateNext: { logits: true } } as const;
    const outputs = await context.getSequence().controlledEvaluate(tokens.map((id) => [id as Token, wanted]));
    const logits = outputs.map((output) => {
      const row = new Float32Array(output!.next.logits!.size);
      for (const [id, logit] of output!.next.logits!) row[id] = logit;
      return row;
    });
    return { logits, ids: model.tokenize(text) };
  } finally {
    await model.dispose();
  }
}
