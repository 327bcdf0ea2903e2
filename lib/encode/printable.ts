// Text from packets, labels and remote ends, made safe for a terminal: what would move the cursor, change colours or
// turn the writing direction is shown as its code.

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g

export function printable(text: string): string {
  return text.toWellFormed().replace(unprintable, escapeCode)
}

/** The same for JSON, which stays the same JSON: there such characters are only inside strings. */
export function printableJson(json: string): string {
  return json.replace(unprintable, character => (character === '\n' ? character : escapeCode(character)))
}

function escapeCode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
