// Prints, fails, ends, or never settles, at the command of its input.
module events (
    input wire clock,
    input wire [2:0] command,
    output wire settled
);
  reg [7:0] cycle = 8'd0;
  wire loop;

  assign loop = command == 3'd5 ? !loop : 1'b0;
  assign settled = !loop;

  always @(posedge clock) begin
    cycle <= cycle + 8'd1;
    case (command)
      3'd1: $display("cycle %0d", cycle);
      3'd2: $finish;
      3'd3: $stop;
      3'd4: $fatal(1, "gave up in cycle %0d", cycle);
      default: ;
    endcase
  end
endmodule
