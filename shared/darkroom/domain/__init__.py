"""Values and rules of jobs, pipelines and plans, without input or output."""
