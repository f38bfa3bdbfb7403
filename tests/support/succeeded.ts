/** The answer to what a test begins with. A refusal there would leave the test nothing to look at, so it throws. */
export const succeeded = async <Answer extends { readonly status: number; readonly body: unknown }>(
  asked: Promise<Answer>,
): Promise<Answer> => {
  const answer = await asked;
  if (answer.status >= 300) throw new Error(`refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer;
};
