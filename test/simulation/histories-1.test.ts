import { describeHistories } from './describe-histories.ts';

describeHistories({ index: 0, of: 2 });
