// A screen whose output can be read back.
import { createScreen, type Screen } from "../../src/cli/screen.ts";

export interface CapturedScreen {
  readonly screen: Screen;
  out(): string;
  err(): string;
}

export function captureScreen({ terminal = false }: { terminal?: boolean } = {}): CapturedScreen {
  const text = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    isTTY: terminal,
    columns: 60,
    write: (piece: string) => {
      text[name] += piece;
    },
  });
  return { screen: createScreen(stream("out"), stream("err")), out: () => text.out, err: () => text.err };
}
