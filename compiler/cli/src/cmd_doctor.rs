//! `spikeloom doctor`.

use spikeloom::Error;

use crate::args::ToolArgs;

/// Says which external tools are installed, and how to get those that are not.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    tools: ToolArgs,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(&self) -> miette::Result<()> {
        let tools = spikeloom_bitstreams::doctor(self.tools.from);
        if self.json {
            let json = serde_json::to_string_pretty(&tools).expect("the list has string keys only");
            println!("{json}");
        } else {
            for tool in &tools {
                let state = match (&tool.problem, &tool.version) {
                    (Some(_), None) => "missing".to_owned(),
                    (Some(_), Some(version)) => format!("{version}, does not run"),
                    (None, version) => version.clone().unwrap_or_default(),
                };
                println!("{:<22} {state}", tool.name);
                if let Some(problem) = &tool.problem {
                    println!("{:<22}   {problem}", "");
                    println!("{:<22}   to get it: {}", "", tool.remedy);
                }
            }
        }
        let missing: Vec<String> = tools
            .iter()
            .filter(|t| t.problem.is_some())
            .map(|t| t.name.clone())
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Error::ToolsMissing { missing }.into())
        }
    }
}
