// What generating tells.

/** One generated token; `text` may be empty while a character is incomplete. */
export interface GeneratedToken {
  readonly id: number;
  readonly text: string;
}
