import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

const FLAGS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
/** The programs behind the scripts that administrators type. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'kafka-acls.sh': 'org.apache.kafka.tools.AclCommand',
  'kafka-configs.sh': 'kafka.admin.ConfigCommand',
};

/** Does what an administrator does who pastes the command into a shell. `folder` has admin.properties. */
export async function typeCommand(
  command: string,
  at: { classpath: string; folder: string },
): Promise<string> {
  const [script = '', ...args] = command.split(' ');
  const program = PROGRAMS[script];
  if (program === undefined || /['"\\$]/.test(command)) throw new Error(`cannot type: ${command}`);
  const { stdout } = await run('java', ['-cp', at.classpath, ...FLAGS, program, ...args], { cwd: at.folder });
  return stdout;
}
