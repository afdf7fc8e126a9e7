// SPDX-License-Identifier: GPL-3.0-or-later
// A job type for Flamenco 3: one task a shot, each done by run_shot.py of the submitted folder.
// It belongs into the Manager's folder "scripts"; it must not know what a shot is.

const JOB_TYPE = {
    label: "Toon Decompose",
    description: "Take the shots of a clip apart into sprites; one task a shot, safe to run again",
    settings: [
        { key: "folder", type: "string", subtype: "dir_path", required: true,
          description: "The submitted folder, on a disk that all workers share" },
        { key: "python", type: "string", required: true, default: "python3", description: "The engine's interpreter on the workers" },
        { key: "shots", type: "int32", required: true, default: 1, propargs: { min: 1 }, description: "How many shots the clip has" },
        { key: "task_type", type: "string", default: "misc", visible: "hidden", description: "Which workers may take the tasks" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    for (let number = 1; number <= settings.shots; number++) {
        const task = author.Task(`shot-${String(number).padStart(3, "0")}`, settings.task_type || "misc");
        task.addCommand(author.Command("exec", {
            exe: settings.python,
            args: [path.join(settings.folder, "run_shot.py"), String(number)],
        }));
        job.addTask(task);
    }
}
