// Writes planned shards of safetensors: their headers at once, their tensors as they come.
import { renderIndex, type ShardPlan } from "./plan-shards.ts";
import type { Output } from "./storage.ts";
import { type OpenFile, type TensorWriter, tensorWriter } from "./tensor-writer.ts";

/** Creates the files of `shards` and their headers. The caller commits or discards the output. */
export async function writeSafetensors(output: Output, shards: readonly ShardPlan[]): Promise<TensorWriter> {
  const files: OpenFile[] = [];
  for (const { file, header, tensors } of shards) {
    const sink = await output.create(file);
    files.push({ sink, tensors });
    await sink.write(0, header);
  }
  const writer = tensorWriter(files);
  return {
    ...writer,
    finish: async () => {
      await writer.finish();
      await writeIndex(output, shards);
    },
  };
}

async function writeIndex(output: Output, shards: readonly ShardPlan[]): Promise<void> {
  const index = renderIndex(shards);
  if (index === undefined) return;
  const sink = await output.create(index.file);
  await sink.write(0, new TextEncoder().encode(index.text));
  await sink.close();
}
